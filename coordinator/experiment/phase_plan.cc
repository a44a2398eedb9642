// SPDX-License-Identifier: Apache-2.0
// Implements phase_plan.h.
#include "coordinator/experiment/phase_plan.h"

#include <utility>

#include "common/base/status.h"
#include "common/config/ps_options.h"

namespace heterosis {
namespace {

OptimizerOptions OptionsOf(const v1::Experiment& config, int index, const PsSpace& space) {
  const v1::Optimizer& optimizer = config.phases(index).optimizer();
  OptimizerOptions options;
  options.kind =
      optimizer.kind() == v1::Optimizer::RANDOM ? OptimizerOptions::Kind::kRandom : OptimizerOptions::Kind::kCma;
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
  return options;
}

}  // namespace

absl::StatusOr<PhasePlan> PhasePlan::Create(const v1::Experiment& config, int index, int num_layers) {
  const v1::Phase& phase = config.phases(index);
  const std::string key = absl::StrCat("phases[", index, "]");
  absl::StatusOr<PsSpace> space = PsSpace::Create(PsOptionsFromConfig(config, phase, num_layers));
  if (!space.ok()) return Annotate(space.status(), key + ".merge");
  PhasePlan plan(*std::move(space));
  plan.index_ = index;
  plan.name_ = phase.name();
  plan.optimizer_ = OptionsOf(config, index, plan.space_);

  // The optimizer knows the default population, which decides how many injected points there is room for.
  absl::StatusOr<std::unique_ptr<Optimizer>> optimizer = plan.NewOptimizer();
  if (!optimizer.ok()) return Annotate(optimizer.status(), key + ".optimizer");
  plan.population_ = (*optimizer)->population();
  if (phase.optimizer().inject_parents()) plan.Inject(phase.merge());

  const v1::Budget& budget = phase.budget();
  plan.generations_ = budget.has_generations()
                          ? budget.generations()
                          : static_cast<int>((int64_t{budget.trials()} + plan.population_ - 1) / plan.population_);
  plan.per_generation_ = phase.samples().per_generation();
  plan.top_ = phase.selection().top();
  return plan;
}

// Points that the space cannot express, and those beyond half of the population, are left out: the first generation
// must learn from its own samples too.
void PhasePlan::Inject(const v1::Merge& merge) {
  const auto add = [this](const absl::StatusOr<std::vector<double>>& genome, const std::string& label) {
    if (!genome.ok() || 2 * optimizer_.injected.size() >= static_cast<size_t>(population_)) return;
    optimizer_.injected.push_back(ScaleToUnit(space_.genes(), *genome));
    injected_labels_.push_back(label);
  };
  add(space_.EncodeUniform(), kUniformLabel);
  for (const std::string& source : merge.sources()) add(space_.EncodeModel(source), source);
}

}  // namespace heterosis
