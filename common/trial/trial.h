// SPDX-License-Identifier: Apache-2.0
// A trial: one recipe scored on one sample set, in shards (fixed slices of that set), the units of dispatch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/problem.h"
#include "common/genome/recipe.h"

namespace heterosis {

enum class Split { kSearch, kValidation, kTest };
enum class FinishReason { kEos, kLength, kStop, kRepetition };

// pending -> running -> done | failed | infeasible. Infeasible: a path beyond its limits, which is born so and never
// handed out, or a model that does not fit into the workers' memory. A restart leases every open shard anew.
enum class TrialState { kPending, kRunning, kDone, kFailed, kInfeasible };

// Why a shard's attempt did not give a result: kInfra (a lost worker, an expired lease) and kInvalid (the worker's
// fault) say nothing about the trial and are retried up to the scheduler's kInfraMax; kCrash, kMemory (not even one
// answer fits) and kNumeric (NaN or Inf in the logits) are counted against its attempts. The latter two are taken for
// the genome's fault once a second worker has seen them.
enum class FailureClass { kInfra, kCrash, kInvalid, kNumeric, kMemory };

struct SampleResult {
  int sample = 0;  // index in the split
  bool correct = false;
  bool number_ok = false;
  bool language_ok = false;
  std::string text;    // what the model wrote
  std::string answer;  // the number read from it, or empty
  int prompt_tokens = 0;
  int new_tokens = 0;
  FinishReason finish = FinishReason::kEos;
  bool operator==(const SampleResult&) const = default;
};

// Names a shard of a trial and which attempt at it: a result is accepted only for an attempt that was handed out.
struct ShardKey {
  int64_t trial = 0;
  int shard = 0;
  int attempt = 0;
  bool operator==(const ShardKey&) const = default;
};

// What a worker gets: one shard with all it needs. `samples` are indexes in the split, `problems` their texts, in step.
struct ShardWork {
  ShardKey key;
  Recipe recipe;
  Split split = Split::kSearch;
  std::vector<int> samples;
  std::vector<Problem> problems;
  bool operator==(const ShardWork&) const = default;
};

// What a worker reports for a shard that it finished: one result per sample, in the order of ShardWork::samples.
struct ShardResult {
  ShardKey key;
  std::vector<SampleResult> samples;
  double merge_seconds = 0;
  double decode_seconds = 0;
  bool operator==(const ShardResult&) const = default;
};

struct ShardFailure {
  ShardKey key;
  FailureClass failure = FailureClass::kCrash;
  std::string message;
};

// The state in which a trial ends when a failure of this class is one too many.
TrialState EndAfter(FailureClass failure);

std::string_view Name(Split split);
std::string_view Name(FinishReason reason);
std::string_view Name(TrialState state);
std::string_view Name(FailureClass failure);
absl::StatusOr<Split> SplitFromName(std::string_view name);
absl::StatusOr<FinishReason> FinishReasonFromName(std::string_view name);
absl::StatusOr<TrialState> TrialStateFromName(std::string_view name);
absl::StatusOr<FailureClass> FailureClassFromName(std::string_view name);

// The fixed slices of `sample_count` samples: shard i holds samples [i * shard_size, min((i+1) * shard_size,
// sample_count)).
int ShardCount(int sample_count, int shard_size);

}  // namespace heterosis
