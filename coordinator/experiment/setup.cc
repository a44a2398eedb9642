// SPDX-License-Identifier: Apache-2.0
// Implements setup.h.
#include "coordinator/experiment/setup.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/config/canonical.h"

namespace heterosis {
namespace {

void CompareModels(const ExperimentRecord& stored, const ExperimentSetup& setup, std::vector<std::string>& out) {
  for (const ModelRecord& model : stored.models) {
    const auto now = setup.model_digests.find(model.name);
    if (now != setup.model_digests.end() && now->second != model.digest) {
      out.push_back(absl::StrCat("the files of model \"", model.name, "\" have changed (digest ",
                                 model.digest.substr(0, 12), " -> ", now->second.substr(0, 12), ")"));
    }
  }
}

void CompareProblems(const std::vector<Problem>& stored, const std::vector<Problem>& now, std::string_view split,
                     std::vector<std::string>& out) {
  const std::string name(split);
  if (stored.size() != now.size()) {
    out.push_back(absl::StrCat("data.", name, ": ", stored.size(), " problems -> ", now.size()));
    return;
  }
  const auto differs = std::mismatch(stored.begin(), stored.end(), now.begin());
  if (differs.first == stored.end()) return;
  out.push_back(absl::StrCat("data.", name, ": problem ", differs.first - stored.begin(), " has changed"));
}

}  // namespace

const std::vector<Problem>& ExperimentSetup::problems(Split split) const {
  switch (split) {
    case Split::kSearch:
      return search;
    case Split::kValidation:
      return validation;
    case Split::kTest:
      break;
  }
  return test;
}

std::vector<std::string> ParentNames(const v1::Experiment& config) {
  std::set<std::string> wanted;
  for (const v1::Phase& phase : config.phases()) {
    for (const v1::Source& source : phase.path().sources()) wanted.insert(source.model());
    if (phase.space() != v1::Phase::PS) continue;
    wanted.insert(phase.merge().sources().begin(), phase.merge().sources().end());
    if (phase.merge().method() == v1::Merge::SLERP) wanted.insert(config.base());
  }
  std::vector<std::string> names;
  for (const v1::Model& model : config.models()) {
    if (wanted.contains(model.name())) names.push_back(model.name());
  }
  return names;
}

SampleSet WholeSplit(const ExperimentSetup& setup, Split split) {
  SampleSet set{.split = split, .samples = std::vector<int>(setup.problems(split).size()), .digest = {}};
  std::iota(set.samples.begin(), set.samples.end(), 0);
  set.digest = SampleSetDigest(split, set.samples);
  return set;
}

int64_t SamplesPlanned(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases) {
  const auto parents = static_cast<int64_t>(ParentNames(setup.config).size() * setup.search.size());
  return parents + SamplesPlannedAfter(setup, phases, {.kind = StageKind::kParents});
}

int64_t SamplesPlannedAfter(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases,
                            const StageRecord& stage) {
  if (stage.kind == StageKind::kFinal) return 0;
  const auto size = [](const std::vector<Problem>& problems) { return static_cast<int64_t>(problems.size()); };
  const int64_t search = size(setup.search), validation = size(setup.validation), test = size(setup.test);
  int64_t samples = static_cast<int64_t>(ParentNames(setup.config).size()) * (validation + test);
  for (const PhasePlan& phase : phases) {
    constexpr int kBaselines = 2;  // the uniform merge and x0, in the final stage as the winner is
    samples += kBaselines * (validation + test) + test;
    if (phase.index() < stage.phase.value_or(0)) continue;
    const bool running = stage.phase == phase.index();
    if (running && stage.kind == StageKind::kSelection) continue;
    const int64_t batch = phase.per_generation() > 0 ? std::min<int64_t>(phase.per_generation(), search) : search;
    const int64_t rescored = validation > 0 ? validation : search;
    const int generations = phase.generations() - (running ? stage.generation.value_or(0) + 1 : 0);
    samples += int64_t{phase.population()} * generations * batch + (phase.top() + 1) * rescored;
    if (!running) samples += batch;  // x0, with the first generation
    // Beside each generation after the first, and in the selection.
    if (phase.validates_each_generation()) samples += int64_t{2} * (generations + (running ? 1 : 0)) * validation;
  }
  return samples;
}

ExperimentRecord RecordOf(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases) {
  ExperimentRecord record;
  record.name = setup.config.name();
  record.config = CanonicalConfig(setup.config);
  record.seed = setup.config.seed();
  for (const v1::Model& model : setup.config.models()) {
    record.models.push_back(
        {model.name(), setup.model_digests.at(model.name()), model.name() == setup.config.base() ? "base" : "source"});
  }
  for (const PhasePlan& phase : phases) {
    record.phases.push_back(
        {phase.index(), phase.name(), phase.space().dimension(), phase.population(), phase.generations()});
  }
  record.search = setup.search;
  record.validation = setup.validation;
  record.test = setup.test;
  return record;
}

absl::Status CheckSameExperiment(const ExperimentRecord& stored, const ExperimentSetup& setup) {
  ASSIGN_OR_RETURN(const v1::Experiment config, ConfigFromCanonical(stored.config));
  std::vector<std::string> differences = ConfigDifferences(config, setup.config);
  CompareModels(stored, setup, differences);
  CompareProblems(stored.search, setup.search, "search", differences);
  CompareProblems(stored.validation, setup.validation, "validation", differences);
  CompareProblems(stored.test, setup.test, "test", differences);
  if (differences.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the database holds experiment \"", stored.name, "\", begun with other settings:\n  ",
      absl::StrJoin(differences, "\n  "), "\nTo go on, undo these changes; to start anew, choose another --db"));
}

}  // namespace heterosis
