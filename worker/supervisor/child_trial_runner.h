// SPDX-License-Identifier: Apache-2.0
// A TrialRunner whose work is done by a child process: what takes the evaluation down is a result, and the worker
// lives.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/evaluate/trial_runner.h"
#include "worker/supervisor/serve_evaluation.h"

namespace heterosis {

struct ChildTrialRunnerOptions {
  std::string program = "/proc/self/exe";  // calls ServeEvaluation(kChildSocket, ...)
  std::vector<std::string> arguments;
  EvaluationSetup setup;
  // A child that makes no step (a token, a merged part of a recipe) for so long is hung, and killed.
  std::chrono::milliseconds hang_max{15 * 60 * 1000};
  // From a cancellation to the child's death, if it does not answer; and where this program is to stop.
  std::chrono::milliseconds cancel_max{60'000};
  std::chrono::milliseconds stop_max{500};
};

// Errors of Run and RunCanary besides the child's own: INTERNAL when the child died or hung, with the signal or exit
// status and the last lines that it wrote; RESOURCE_EXHAUSTED when it died for want of memory, also in new children
// with ever fewer rows; UNAVAILABLE when no child can be started. A new child is started by the next call, also after
// the child itself has told INTERNAL or UNKNOWN: a CUDA error stays with its process.
class ChildTrialRunner : public TrialRunner {
 public:
  // Starts the child, and returns before it is ready. UNAVAILABLE where that fails.
  virtual absl::Status Start() = 0;
  // Waits until the child has opened its device; the child's own error where it cannot.
  virtual absl::Status WaitReady() = 0;
};

// `stop`, which outlives the runner, becomes true when this program is to end.
std::unique_ptr<ChildTrialRunner> MakeChildTrialRunner(ChildTrialRunnerOptions options, const std::atomic<bool>& stop);

}  // namespace heterosis
