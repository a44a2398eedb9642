// SPDX-License-Identifier: Apache-2.0
// What a worker does with a shard, behind one interface without libtorch: the network side (worker/session) is built
// and tested against it alone.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/trial/canary.h"
#include "common/trial/task.h"
#include "common/trial/trial.h"

namespace heterosis {

// Called from one thread at a time, but for `cancelled`.
class TrialRunner {
 public:
  virtual ~TrialRunner() = default;

  // Prepares for a task: loads the language gate where it has one. Models and tokenizers are opened by the first Run
  // that names them. Called before the first Run, and again where a new session brings another task.
  virtual absl::Status Prepare(const Task& task) = 0;

  // Merges, decodes and scores. Returns CANCELLED soon after `cancelled` becomes true, though a merge that has begun is
  // finished first (seconds at 7B), DATA_LOSS when the merged model computes NaN or Inf, RESOURCE_EXHAUSTED when memory
  // does not suffice even for one row, INVALID_ARGUMENT for a recipe that these models cannot follow. INTERNAL and
  // UNKNOWN: the device or the evaluation broke, and what comes after may be wrong: ask for a canary. UNAVAILABLE: this
  // runner can compute nothing any more, which is no fault of the shard.
  virtual absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) = 0;

  // The logits of the merged model after the prompts and a few tokens more, by the ways that Run takes. Errors as
  // Run's.
  virtual absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) = 0;
};

// The folders of the models that a worker may use, by name.
using ModelFolders = std::map<std::string, std::string>;

}  // namespace heterosis
