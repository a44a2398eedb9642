// SPDX-License-Identifier: Apache-2.0
// A scheduler with a clock of its own, for the tests of coordinator/scheduler.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/scheduler/scheduler.h"

namespace heterosis {

inline constexpr int kFirst = Scheduler::kAttemptsPerEpoch;  // the first attempt's number in epoch 1

class SchedulerTest : public ::testing::Test {
 protected:
  void Start(const SchedulerOptions& options) { scheduler_.emplace(options); }
  void SetUp() override { Start({.lease = std::chrono::milliseconds(100), .attempts_max = 3, .epoch = 1}); }

  void AddTrial(int64_t trial, std::vector<int> shards) { scheduler_->AddTrial({.trial = trial, .shards = shards}); }

  std::optional<ShardKey> Lease(const std::string& worker) { return scheduler_->Lease(worker, now_); }
  // The worker's lease, which there must be.
  ShardKey MustLease(const std::string& worker) {
    const auto key = Lease(worker);
    EXPECT_TRUE(key.has_value()) << worker << " got nothing";
    return key.value_or(ShardKey{});
  }
  std::vector<ShardKey> Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding) {
    return scheduler_->Heartbeat(worker, holding, now_);
  }
  // What the experiment does with the leases of silent workers.
  void ExpireOverdue() {
    for (const Scheduler::Lost& lost : scheduler_->Overdue(now_)) scheduler_->Fail(lost.key, FailureClass::kInfra);
    scheduler_->ForgetSilentWorkers(now_);
  }
  void Advance(int by_ms) { now_ += std::chrono::milliseconds(by_ms); }

  std::optional<Scheduler> scheduler_;
  Clock::Duration now_{5'000};
};

}  // namespace heterosis
