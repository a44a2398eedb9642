// SPDX-License-Identifier: Apache-2.0
// A worker that serves a coordinator.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "proto/channel.h"
#include "worker/supervisor/serve_evaluation.h"

namespace heterosis {

struct WorkOptions {
  std::string coordinator;  // HOST:PORT
  ClientSecurity security;
  std::string name;  // empty: host name and device
  EvaluationSetup setup;
  std::string spool;               // a folder; empty: DefaultSpoolFolder; "none": nothing is kept
  int hang_seconds = 0;            // 0: as ChildTrialRunnerOptions has it
  std::string evaluation_program;  // empty: this one
};

// Until the experiment ends or a SIGTERM or SIGINT comes (the shard in work is then given back). This process only
// talks to the coordinator: what computes is a child of it, and may die.
absl::Status Work(const WorkOptions& options);

// The child's life (the hidden command of kEvaluationCommand); only a worker can start it.
inline constexpr const char* kEvaluationCommand = "evaluation-child";
absl::Status EvaluateForParent();

// Where lid.176.ftz is: HETEROSIS_LANGUAGE_MODEL, beside an installed program, or in the checkout that it was built in.
std::string FindLanguageModel();

}  // namespace heterosis
