// SPDX-License-Identifier: Apache-2.0
// Implements stage_builder.h.
#include "coordinator/experiment/stage_builder.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/dataset/batch.h"

namespace heterosis {
namespace {

SampleSet BatchOf(const ExperimentSetup& setup, const PhasePlan& phase, int generation) {
  SampleSet set;
  set.split = Split::kSearch;
  set.samples = BatchFor({.seed = setup.config.seed(),
                          .phase = phase.index(),
                          .generation = generation,
                          .split_size = static_cast<int>(setup.search.size()),
                          .per_generation = phase.per_generation()});
  set.digest = SampleSetDigest(set.split, set.samples);
  return set;
}

bool IsBaseline(const GenomeRecord& genome) {
  return (genome.origin == Origin::kInjected && genome.label == kUniformLabel) ||
         (genome.origin == Origin::kMean && genome.label == kStartLabel);
}

}  // namespace

StageBuilder::StageBuilder(const ExperimentSetup& setup, Store& store, int stage) : setup_(setup), store_(store) {
  commit_.stage.stage = stage;
}

absl::Status StageBuilder::Begin(StageKind kind) {
  commit_.stage.kind = kind;
  ASSIGN_OR_RETURN(last_genome_, store_.LastGenomeId());
  ASSIGN_OR_RETURN(last_trial_, store_.LastTrialId());
  return absl::OkStatus();
}

GenomeRecord& StageBuilder::AddGenome(GenomeRecord genome) {
  genome.genome = ++last_genome_;
  genome.recipe_digest = RecipeDigest(genome.recipe);
  commit_.genomes.push_back(std::move(genome));
  return commit_.genomes.back();
}

absl::Status StageBuilder::AddTrial(const GenomeRecord& genome, Purpose purpose, const SampleSet& samples,
                                    const std::string& infeasible) {
  TrialRecord trial;
  trial.trial = ++last_trial_;
  trial.genome = genome.genome;
  trial.purpose = purpose;
  trial.samples = samples;
  if (!infeasible.empty()) {
    trial.state = TrialState::kInfeasible;
    trial.failure = infeasible;
    commit_.trials.push_back(std::move(trial));
    return absl::OkStatus();
  }
  const auto key = std::make_pair(genome.recipe_digest, samples.digest);
  if (const auto here = originals_.find(key); here != originals_.end()) {
    trial.same_as = here->second;
  } else {
    ASSIGN_OR_RETURN(trial.same_as, store_.FindDone(genome.recipe_digest, samples.digest));
  }
  if (!trial.same_as.has_value()) {
    originals_[key] = trial.trial;
    trial.shards = ShardCount(static_cast<int>(samples.samples.size()), setup_.config.evaluation().shard_size());
  }
  commit_.trials.push_back(std::move(trial));
  return absl::OkStatus();
}

absl::StatusOr<StageCommit> StageBuilder::Parents(DType dtype) {
  RETURN_IF_ERROR(Begin(StageKind::kParents));
  const SampleSet search = WholeSplit(setup_, Split::kSearch);
  int candidate = 0;
  for (const std::string& name : ParentNames(setup_.config)) {
    GenomeRecord genome;
    genome.candidate = candidate++;
    genome.origin = Origin::kParent;
    genome.label = name;
    genome.recipe = SingleModelRecipe(name, name, dtype);
    RETURN_IF_ERROR(AddTrial(AddGenome(std::move(genome)), Purpose::kParent, search));
  }
  return std::move(commit_);
}

GenomeRecord StageBuilder::CandidateOf(const PhasePlan& phase, int generation, int candidate,
                                       const std::vector<double>& unit) const {
  GenomeRecord genome;
  genome.phase = phase.index();
  genome.generation = generation;
  genome.candidate = candidate;
  genome.genes = phase.ToGenome(unit);
  genome.recipe = phase.space().Decode(genome.genes);
  return genome;
}

absl::StatusOr<StageCommit> StageBuilder::Generation(const PhasePlan& phase, const Optimizer& optimizer) {
  RETURN_IF_ERROR(Begin(StageKind::kGeneration));
  const int generation = static_cast<int>(optimizer.generation());
  commit_.stage.phase = phase.index();
  commit_.stage.generation = generation;
  commit_.snapshot = optimizer.Snapshot();
  commit_.sigma = optimizer.sigma();
  const SampleSet batch = BatchOf(setup_, phase, generation);
  int candidate = 0;
  for (const std::vector<double>& unit : optimizer.Ask()) {
    GenomeRecord genome = CandidateOf(phase, generation, candidate, unit);
    if (generation == 0 && candidate < static_cast<int>(phase.injected_labels().size())) {
      genome.origin = Origin::kInjected;
      genome.label = phase.injected_labels()[static_cast<size_t>(candidate)];
    }
    ++candidate;
    const std::string infeasible = phase.space().Infeasible(genome.recipe);
    RETURN_IF_ERROR(AddTrial(AddGenome(std::move(genome)), Purpose::kSearch, batch, infeasible));
  }
  if (phase.validates_each_generation() && generation > 0) RETURN_IF_ERROR(AddValidation(phase, optimizer));
  if (generation == 0) {
    GenomeRecord start = CandidateOf(phase, generation, candidate, optimizer.mean());
    start.origin = Origin::kMean;
    start.label = kStartLabel;
    const std::string infeasible = phase.space().Infeasible(start.recipe);
    RETURN_IF_ERROR(AddTrial(AddGenome(std::move(start)), Purpose::kBaseline, batch, infeasible));
  }
  return std::move(commit_);
}

// The generation that has just been told is the one before the optimizer's: its best candidate and the mean after it.
absl::Status StageBuilder::AddValidation(const PhasePlan& phase, const Optimizer& optimizer) {
  const SampleSet samples = WholeSplit(setup_, Split::kValidation);
  const int generation = static_cast<int>(optimizer.generation());
  ASSIGN_OR_RETURN(const std::optional<int64_t> best, store_.BestOfGeneration(phase.index(), generation - 1));
  if (best.has_value()) {
    ASSIGN_OR_RETURN(const GenomeRecord genome, store_.Genome(*best));
    RETURN_IF_ERROR(AddTrial(genome, Purpose::kRescore, samples));
  }
  return AddMean(phase, optimizer, phase.population(), samples);
}

absl::Status StageBuilder::AddMean(const PhasePlan& phase, const Optimizer& optimizer, int candidate,
                                   const SampleSet& samples) {
  GenomeRecord mean = CandidateOf(phase, static_cast<int>(optimizer.generation()), candidate, optimizer.mean());
  mean.origin = Origin::kMean;
  if (!phase.space().Infeasible(mean.recipe).empty()) return absl::OkStatus();
  return AddTrial(AddGenome(std::move(mean)), Purpose::kRescore, samples);
}

absl::StatusOr<StageCommit> StageBuilder::Selection(const PhasePlan& phase, const Optimizer& optimizer) {
  RETURN_IF_ERROR(Begin(StageKind::kSelection));
  commit_.stage.phase = phase.index();
  const SampleSet samples = WholeSplit(setup_, setup_.validation.empty() ? Split::kSearch : Split::kValidation);
  ASSIGN_OR_RETURN(const std::vector<int64_t> top, store_.TopGenomes(phase.index(), phase.top()));
  if (top.empty()) {
    return absl::NotFoundError(absl::StrCat("no candidate of phase \"", phase.name(), "\" could be scored"));
  }
  for (const int64_t id : top) {
    ASSIGN_OR_RETURN(const GenomeRecord genome, store_.Genome(id));
    RETURN_IF_ERROR(AddTrial(genome, Purpose::kRescore, samples));
  }
  if (phase.validates_each_generation()) {
    RETURN_IF_ERROR(AddValidation(phase, optimizer));
  } else {
    RETURN_IF_ERROR(AddMean(phase, optimizer, 0, samples));
  }
  return std::move(commit_);
}

absl::Status StageBuilder::AddReference(const GenomeRecord& genome, Purpose on_validation,
                                        const std::string& infeasible) {
  if (!setup_.validation.empty()) {
    RETURN_IF_ERROR(AddTrial(genome, on_validation, WholeSplit(setup_, Split::kValidation), infeasible));
  }
  return AddTrial(genome, Purpose::kTest, WholeSplit(setup_, Split::kTest), infeasible);
}

absl::StatusOr<StageCommit> StageBuilder::Final(const std::vector<PhasePlan>& phases, int64_t winner) {
  RETURN_IF_ERROR(Begin(StageKind::kFinal));
  commit_.chosen = winner;
  const SampleSet test = WholeSplit(setup_, Split::kTest);
  ASSIGN_OR_RETURN(const std::vector<GenomeRecord> parents, store_.Genomes(std::nullopt));
  for (const GenomeRecord& parent : parents) RETURN_IF_ERROR(AddReference(parent, Purpose::kParent));
  for (const PhasePlan& phase : phases) {
    ASSIGN_OR_RETURN(const std::vector<GenomeRecord> genomes, store_.Genomes(phase.index()));
    for (const GenomeRecord& genome : genomes) {
      const bool chosen = genome.chosen || genome.genome == winner;
      if (IsBaseline(genome)) {
        RETURN_IF_ERROR(AddReference(genome, Purpose::kRescore, phase.space().Infeasible(genome.recipe)));
      } else if (chosen) {
        RETURN_IF_ERROR(AddTrial(genome, Purpose::kTest, test));
      }
    }
  }
  return std::move(commit_);
}

}  // namespace heterosis
