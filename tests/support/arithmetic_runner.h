// SPDX-License-Identifier: Apache-2.0
// A TrialRunner that answers by arithmetic on the recipe (small_experiment.h) instead of merging and decoding. Points
// of common/base/failpoint.h: "before evaluate" and "after evaluate".
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "common/base/failpoint.h"
#include "tests/support/small_experiment.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

class ArithmeticRunner : public TrialRunner {
 public:
  // `delay`: how long each shard takes.
  explicit ArithmeticRunner(std::chrono::milliseconds delay = {}) : delay_(delay) {}

  absl::Status Prepare(const Task&) override { return absl::OkStatus(); }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    Failpoint("before evaluate");
    std::this_thread::sleep_for(delay_);
    if (cancelled) return absl::CancelledError("told to stop");
    ShardResult result = Evaluate(work);
    Failpoint("after evaluate");
    return result;
  }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>&) override {
    return AnswerCanary(work);
  }

 private:
  const std::chrono::milliseconds delay_;
};

}  // namespace heterosis
