// SPDX-License-Identifier: Apache-2.0
// Implements trial.h: one table of names per enum.
#include "common/trial/trial.h"

#include <array>

#include "common/base/names.h"

namespace heterosis {
namespace {

constexpr std::array kSplits = {Named<Split>{Split::kSearch, "search"}, Named<Split>{Split::kValidation, "validation"},
                                Named<Split>{Split::kTest, "test"}};
constexpr std::array kFinishReasons = {
    Named<FinishReason>{FinishReason::kEos, "eos"}, Named<FinishReason>{FinishReason::kLength, "length"},
    Named<FinishReason>{FinishReason::kStop, "stop"}, Named<FinishReason>{FinishReason::kRepetition, "repetition"}};
constexpr std::array kTrialStates = {
    Named<TrialState>{TrialState::kPending, "pending"}, Named<TrialState>{TrialState::kRunning, "running"},
    Named<TrialState>{TrialState::kDone, "done"}, Named<TrialState>{TrialState::kFailed, "failed"},
    Named<TrialState>{TrialState::kInfeasible, "infeasible"}};
constexpr std::array kFailureClasses = {
    Named<FailureClass>{FailureClass::kInfra, "infra"}, Named<FailureClass>{FailureClass::kCrash, "crash"},
    Named<FailureClass>{FailureClass::kInvalid, "invalid"}, Named<FailureClass>{FailureClass::kNumeric, "numeric"},
    Named<FailureClass>{FailureClass::kMemory, "memory"}};

}  // namespace

TrialState EndAfter(FailureClass failure) {
  return failure == FailureClass::kMemory ? TrialState::kInfeasible : TrialState::kFailed;
}

std::string_view Name(Split split) {
  return NameIn(kSplits, split);
}
std::string_view Name(FinishReason reason) {
  return NameIn(kFinishReasons, reason);
}
std::string_view Name(TrialState state) {
  return NameIn(kTrialStates, state);
}
std::string_view Name(FailureClass failure) {
  return NameIn(kFailureClasses, failure);
}

absl::StatusOr<Split> SplitFromName(std::string_view name) {
  return ValueIn(kSplits, "split", name);
}
absl::StatusOr<FinishReason> FinishReasonFromName(std::string_view name) {
  return ValueIn(kFinishReasons, "finish reason", name);
}
absl::StatusOr<TrialState> TrialStateFromName(std::string_view name) {
  return ValueIn(kTrialStates, "trial state", name);
}
absl::StatusOr<FailureClass> FailureClassFromName(std::string_view name) {
  return ValueIn(kFailureClasses, "failure class", name);
}

int ShardCount(int sample_count, int shard_size) {
  return (sample_count + shard_size - 1) / shard_size;
}

}  // namespace heterosis
