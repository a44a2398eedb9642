// SPDX-License-Identifier: Apache-2.0
// The worker's evaluation child with faults to order, for the tests of this folder (`worker --evaluation-program`): the
// program that users get has no way to fail on purpose. HETEROSIS_FAULT is a fault and the trials that it hits, such as
// `abort:12,17`; or `canary`: its largest logit is wrong by 5; or `gate:FILE`: each shard's result waits until FILE
// exists, after FILE.TRIAL.SHARD told that it is done.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>
#include <thread>

#include "common/base/file.h"
#include "common/base/status.h"
#include "worker/device/device.h"
#include "worker/evaluate/merge_trial_runner.h"
#include "worker/supervisor/child_process.h"
#include "worker/supervisor/serve_evaluation.h"

namespace heterosis {
namespace {

class FaultyRunner : public TrialRunner {
 public:
  FaultyRunner(std::unique_ptr<TrialRunner> runner, const std::string& order, std::atomic<uint64_t>& progress)
      : runner_(std::move(runner)), progress_(progress), fault_(order.substr(0, order.find(':'))) {
    const std::string rest = order.find(':') == std::string::npos ? "" : order.substr(order.find(':') + 1);
    if (fault_ == "gate") {
      gate_ = rest;
    } else {
      std::istringstream trials(rest);
      for (std::string trial; std::getline(trials, trial, ',');) trials_.insert(std::stoll(trial));
    }
  }

  absl::Status Prepare(const Task& task) override { return runner_->Prepare(task); }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) override {
    absl::StatusOr<CanaryResult> result = runner_->RunCanary(work, cancelled);
    if (fault_ == "canary" && result.ok()) result->answers.at(0).at(0).at(0).logit += 5;
    return result;
  }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    if (trials_.contains(work.key.trial)) {
      std::fprintf(stderr, "the fault that was ordered\n");
      if (fault_ == "abort") std::abort();
      if (fault_ == "segv") {
        signal(SIGSEGV, SIG_DFL);  // a sanitizer has a handler of its own
        raise(SIGSEGV);
      }
      if (fault_ == "kill") raise(SIGKILL);
    }
    absl::StatusOr<ShardResult> result = runner_->Run(work, cancelled);
    if (!gate_.empty()) {
      const std::string told = absl::StrCat(gate_, ".", work.key.trial, ".", work.key.shard);
      RETURN_IF_ERROR(WriteFileAtomic(told, ""));
      while (!FileExists(gate_) && !cancelled) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        ++progress_;
      }
    }
    return result;
  }

 private:
  const std::unique_ptr<TrialRunner> runner_;
  std::atomic<uint64_t>& progress_;
  const std::string fault_;
  std::set<int64_t> trials_;
  std::string gate_;
};

absl::StatusOr<std::unique_ptr<TrialRunner>> MakeRunner(const EvaluationSetup& setup, std::atomic<uint64_t>& progress) {
  const char* order = std::getenv("HETEROSIS_FAULT");
  return std::make_unique<FaultyRunner>(MakeTrialRunner({.models = setup.models,
                                                         .device = OpenCpu(setup.threads),
                                                         .language_model = setup.language_model,
                                                         .progress = &progress}),
                                        order != nullptr ? order : "", progress);
}

}  // namespace
}  // namespace heterosis

int main() {
  heterosis::ServeEvaluation(heterosis::kChildSocket, heterosis::MakeRunner);
}
