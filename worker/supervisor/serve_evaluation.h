// SPDX-License-Identifier: Apache-2.0
// The evaluation child's side: a TrialRunner that another process uses over a socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

// What the parent tells its child first.
struct EvaluationSetup {
  int gpu = -1;  // -1: the CPU
  int threads = 0;
  ModelFolders models;
  std::string language_model;
  bool log_json = false;
  bool log_verbose = false;
};

// Opens the device. The runner counts `progress` up whenever it has come a step further (a token, a merged part): a
// silent one is taken for hung.
using RunnerFactory = std::function<absl::StatusOr<std::unique_ptr<TrialRunner>>(const EvaluationSetup& setup,
                                                                                 std::atomic<uint64_t>& progress)>;

// Answers requests at `socket` (kChildSocket) until the other side closes it; then the process ends at once, whatever
// it is at. Never returns. After a std::bad_alloc, or an exception of another kind, the error is told and the process
// ends, for nobody knows what state it has left.
[[noreturn]] void ServeEvaluation(int socket, const RunnerFactory& factory);

}  // namespace heterosis
