// SPDX-License-Identifier: Apache-2.0
// What each stage of an experiment evaluates: builds the commit that begins it (W1). Decides nothing else and writes
// nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/experiment/phase_plan.h"
#include "coordinator/experiment/setup.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/store/store.h"

namespace heterosis {

// Builds one commit: `StageBuilder(...).Generation(...)`. Reads the store for what earlier stages found: a recipe that
// was scored on the same samples before is not evaluated again but shares that trial's outcome. The same store always
// gives the same commit.
class StageBuilder {
 public:
  // `stage`: the number of the stage to build. All arguments must outlive this.
  StageBuilder(const ExperimentSetup& setup, Store& store, int stage);

  // Every source model as it is, in `dtype`, on all of the search split.
  absl::StatusOr<StageCommit> Parents(DType dtype);
  // The candidates that `optimizer` asks for, on the generation's batch; in generation 0 also x0, as a baseline. Where
  // the phase validates each generation, also the best of the generation before and the mean since it, on validation.
  // Infeasible candidates are born settled.
  absl::StatusOr<StageCommit> Generation(const PhasePlan& phase, const Optimizer& optimizer);
  // The best few candidates and the mean of the distribution, on validation (all of search where there is none).
  // NotFound where the phase has no scored candidate.
  absl::StatusOr<StageCommit> Selection(const PhasePlan& phase, const Optimizer& optimizer);
  // Parents and baselines on validation and test, the phases' winners on test: the test split is opened here and only
  // here. `winner`: the genome of the last phase, which is marked as chosen with this commit.
  absl::StatusOr<StageCommit> Final(const std::vector<PhasePlan>& phases, int64_t winner);

 private:
  absl::Status Begin(StageKind kind);
  GenomeRecord& AddGenome(GenomeRecord genome);
  // `infeasible`: why the genome is not to be evaluated, or "".
  absl::Status AddTrial(const GenomeRecord& genome, Purpose purpose, const SampleSet& samples,
                        const std::string& infeasible = "");
  GenomeRecord CandidateOf(const PhasePlan& phase, int generation, int candidate,
                           const std::vector<double>& unit) const;
  absl::Status AddValidation(const PhasePlan& phase, const Optimizer& optimizer);
  // The mean of the distribution, to be scored again; nothing where it is infeasible.
  absl::Status AddMean(const PhasePlan& phase, const Optimizer& optimizer, int candidate, const SampleSet& samples);
  absl::Status AddReference(const GenomeRecord& genome, Purpose on_validation, const std::string& infeasible = "");

  const ExperimentSetup& setup_;
  Store& store_;
  StageCommit commit_;
  int64_t last_genome_ = 0;
  int64_t last_trial_ = 0;
  std::map<std::pair<std::string, std::string>, int64_t> originals_;  // (recipe, samples) digests -> trial of commit_
};

}  // namespace heterosis
