// SPDX-License-Identifier: Apache-2.0
// Implements phase_plan.h.
#include "coordinator/experiment/phase_plan.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/config/dfs_options.h"
#include "common/config/ps_options.h"

namespace heterosis {
namespace {

OptimizerOptions::Kind KindOf(v1::Optimizer::Kind kind) {
  switch (kind) {
    case v1::Optimizer::CMA:
      return OptimizerOptions::Kind::kCma;
    case v1::Optimizer::RANDOM:
      return OptimizerOptions::Kind::kRandom;
    case v1::Optimizer::SEP_CMA:
      return OptimizerOptions::Kind::kSepCma;
    case v1::Optimizer::CMA_MARGIN:
      return OptimizerOptions::Kind::kCmaMargin;
    case v1::Optimizer::MIXED:
      return OptimizerOptions::Kind::kMixed;
  }
  return OptimizerOptions::Kind::kCma;
}

// What the discrete optimizers know of the space: which genes are bits, which have an effect, how paths mutate. The
// space works in gene units, the optimizer in the unit cube.
void DescribeSpace(const std::shared_ptr<const SearchSpace>& space, OptimizerOptions& options) {
  options.steps.assign(static_cast<size_t>(space->dimension()), 0.0);
  std::fill_n(options.steps.begin(), space->bits(), 1.0);
  if (options.kind != OptimizerOptions::Kind::kMixed) return;
  options.active = [space](std::span<const double> unit, std::span<char> active) {
    space->MarkActive(ScaleFromUnit(space->genes(), unit), active);
  };
  options.mutate = [space](std::span<double> unit, RandomStream& random) {
    std::vector<double> genome = ScaleFromUnit(space->genes(), unit);
    space->Mutate(genome, random);
    const std::vector<double> mutated = ScaleToUnit(space->genes(), genome);
    std::copy(mutated.begin(), mutated.end(), unit.begin());
  };
}

OptimizerOptions OptionsOf(const v1::Experiment& config, int index, const std::shared_ptr<const SearchSpace>& shared) {
  const SearchSpace& space = *shared;
  const v1::Optimizer& optimizer = config.phases(index).optimizer();
  OptimizerOptions options;
  options.kind = KindOf(optimizer.kind());
  options.dimension = space.dimension();
  options.population = optimizer.population();
  options.mean = ScaleToUnit(space.genes(), StartGenome(space.genes()));
  options.sigma = optimizer.sigma();
  options.lower.assign(static_cast<size_t>(space.dimension()), 0.0);
  options.upper.assign(static_cast<size_t>(space.dimension()), 1.0);
  options.seed = config.seed();
  options.phase = static_cast<uint64_t>(index);
  options.bounds = optimizer.bounds() == v1::Optimizer::RESAMPLE ? OptimizerOptions::Bounds::kResample
                                                                 : OptimizerOptions::Bounds::kClip;
  switch (optimizer.step_size()) {
    case v1::Optimizer::AUTO:
      options.step_size = OptimizerOptions::StepSize::kAuto;
      break;
    case v1::Optimizer::CSA:
      options.step_size = OptimizerOptions::StepSize::kCsa;
      break;
    case v1::Optimizer::TPA:
      options.step_size = OptimizerOptions::StepSize::kTpa;
      break;
  }
  if (options.kind == OptimizerOptions::Kind::kMixed || options.kind == OptimizerOptions::Kind::kCmaMargin) {
    DescribeSpace(shared, options);
  }
  return options;
}

}  // namespace

absl::Status PhasePlan::MakeSpace(const v1::Experiment& config, const ModelLayers& layers) {
  const v1::Phase& phase = config.phases(index_);
  if (phase.space() == v1::Phase::DFS) {
    const DfsSpaceOptions options = DfsOptionsFromConfig(config, phase, layers);
    ASSIGN_OR_RETURN(DfsSpace space, DfsSpace::Create(options));
    for (const v1::Source& source : phase.path().sources()) {
      if (source.has_phase()) phases_needed_.push_back(source.phase());
    }
    out_dtype_ = options.out_dtype;
    space_ = std::make_shared<DfsSpace>(std::move(space));
    if (phases_needed_.empty()) UseWinners(config, {});
    return absl::OkStatus();
  }
  const PsSpaceOptions options = PsOptionsFromConfig(config, phase, LayersOfMerge(config, phase, layers));
  ASSIGN_OR_RETURN(PsSpace space, PsSpace::Create(options));
  out_dtype_ = options.out_dtype;
  space_ = std::make_shared<PsSpace>(std::move(space));
  return absl::OkStatus();
}

void PhasePlan::UseWinners(const v1::Experiment& config, const std::map<std::string, Recipe>& winners) {
  const v1::Path& path = config.phases(index_).path();
  std::vector<Recipe> parts;
  for (const v1::Source& source : path.sources()) {
    if (source.has_phase()) {
      parts.push_back(winners.at(source.phase()));
      parts.back().out_dtype = out_dtype_;
    } else {
      parts.push_back(SingleModelRecipe(source.model(), source.model(), out_dtype_));
    }
  }
  const std::string tokenizer = parts[0].tokenizer;
  auto space = std::make_shared<DfsSpace>(dynamic_cast<const DfsSpace&>(*space_));
  space->SetParts(std::move(parts), tokenizer);
  space_ = std::move(space);
}

absl::StatusOr<PhasePlan> PhasePlan::Create(const v1::Experiment& config, int index, const ModelLayers& layers) {
  const v1::Phase& phase = config.phases(index);
  const std::string key = absl::StrCat("phases[", index, "]");
  PhasePlan plan;
  plan.index_ = index;
  plan.name_ = phase.name();
  RETURN_IF_ERROR(Annotate(plan.MakeSpace(config, layers), key));
  plan.optimizer_ = OptionsOf(config, index, plan.space_);

  // The optimizer knows the default population, which decides how many injected points there is room for.
  absl::StatusOr<std::unique_ptr<Optimizer>> optimizer = plan.NewOptimizer();
  if (!optimizer.ok()) return Annotate(optimizer.status(), key + ".optimizer");
  plan.population_ = (*optimizer)->population();
  if (phase.optimizer().inject_parents()) plan.Inject();

  const v1::Budget& budget = phase.budget();
  plan.generations_ = budget.has_generations()
                          ? budget.generations()
                          : static_cast<int>((int64_t{budget.trials()} + plan.population_ - 1) / plan.population_);
  plan.per_generation_ = phase.samples().per_generation();
  plan.top_ = phase.selection().top();
  plan.validates_each_generation_ =
      config.data().has_validation() &&
      (phase.selection().has_each_generation() ? phase.selection().each_generation() : phase.space() == v1::Phase::DFS);
  return plan;
}

// Points beyond half of the population are left out: the first generation must learn from its own samples too.
void PhasePlan::Inject() {
  for (const KnownPoint& point : space_->KnownPoints()) {
    if (2 * optimizer_.injected.size() >= static_cast<size_t>(population_)) return;
    optimizer_.injected.push_back(ScaleToUnit(space_->genes(), point.genome));
    injected_labels_.push_back(point.label);
  }
}

}  // namespace heterosis
