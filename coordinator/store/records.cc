// SPDX-License-Identifier: Apache-2.0
// Implements records.h: one table of names per enum, and the name of a sample set.
#include "coordinator/store/records.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/digest.h"
#include "common/base/names.h"

namespace heterosis {
namespace {

constexpr std::array kStageKinds = {
    Named<StageKind>{StageKind::kParents, "parents"}, Named<StageKind>{StageKind::kGeneration, "generation"},
    Named<StageKind>{StageKind::kSelection, "selection"}, Named<StageKind>{StageKind::kFinal, "final"}};
constexpr std::array kPurposes = {Named<Purpose>{Purpose::kParent, "parent"},
                                  Named<Purpose>{Purpose::kSearch, "search"},
                                  Named<Purpose>{Purpose::kBaseline, "baseline"},
                                  Named<Purpose>{Purpose::kRescore, "rescore"}, Named<Purpose>{Purpose::kTest, "test"}};
constexpr std::array kOrigins = {Named<Origin>{Origin::kParent, "parent"}, Named<Origin>{Origin::kSampled, "sampled"},
                                 Named<Origin>{Origin::kInjected, "injected"}, Named<Origin>{Origin::kMean, "mean"}};
constexpr std::array kExperimentStates = {Named<ExperimentState>{ExperimentState::kRunning, "running"},
                                          Named<ExperimentState>{ExperimentState::kDone, "done"},
                                          Named<ExperimentState>{ExperimentState::kFailed, "failed"}};
constexpr std::array kAuditStates = {
    Named<AuditState>{AuditState::kDue, "due"}, Named<AuditState>{AuditState::kAgreed, "agreed"},
    Named<AuditState>{AuditState::kWaived, "waived"}, Named<AuditState>{AuditState::kUndecided, "undecided"}};
constexpr std::array kCanaryOutcomes = {
    Named<CanaryOutcome>{CanaryOutcome::kGood, "good"}, Named<CanaryOutcome>{CanaryOutcome::kWaits, "waits"},
    Named<CanaryOutcome>{CanaryOutcome::kWrong, "wrong"}, Named<CanaryOutcome>{CanaryOutcome::kFailed, "failed"}};

// A name in a database that no table has is damage, not a wrong argument.
template <typename T>
absl::StatusOr<T> Stored(absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return absl::DataLossError(value.status().message());
}

}  // namespace

std::string_view Name(StageKind kind) {
  return NameIn(kStageKinds, kind);
}
std::string_view Name(Purpose purpose) {
  return NameIn(kPurposes, purpose);
}
std::string_view Name(Origin origin) {
  return NameIn(kOrigins, origin);
}
std::string_view Name(ExperimentState state) {
  return NameIn(kExperimentStates, state);
}
std::string_view Name(AuditState state) {
  return NameIn(kAuditStates, state);
}
std::string_view Name(CanaryOutcome outcome) {
  return NameIn(kCanaryOutcomes, outcome);
}

absl::StatusOr<StageKind> StageKindFromName(std::string_view name) {
  return Stored(ValueIn(kStageKinds, "stage", name));
}
absl::StatusOr<Purpose> PurposeFromName(std::string_view name) {
  return Stored(ValueIn(kPurposes, "purpose", name));
}
absl::StatusOr<Origin> OriginFromName(std::string_view name) {
  return Stored(ValueIn(kOrigins, "origin", name));
}
absl::StatusOr<CanaryOutcome> CanaryOutcomeFromName(std::string_view name) {
  return Stored(ValueIn(kCanaryOutcomes, "outcome", name));
}
absl::StatusOr<ExperimentState> ExperimentStateFromName(std::string_view name) {
  return Stored(ValueIn(kExperimentStates, "state", name));
}

bool FailedOnWorkers(const TrialRecord& trial) {
  if (trial.state != TrialState::kInfeasible) return trial.state == TrialState::kFailed;
  return trial.shards > 0 || trial.same_as.has_value();  // born infeasible it has neither
}

std::string SampleSetDigest(Split split, const std::vector<int>& samples) {
  return Sha256(absl::StrCat(std::string(Name(split)), ":", absl::StrJoin(samples, ",")));
}

}  // namespace heterosis
