// SPDX-License-Identifier: Apache-2.0
// One phase of a config, resolved: its search space, its optimizer and how much it evaluates.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/ps_space.h"
#include "coordinator/optimizer/optimizer.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Genomes are in gene units here, optimizers work in the unit cube; this is where one becomes the other.
class PhasePlan {
 public:
  // `config` is resolved and checked (common/config), `index` the place of the phase in it. InvalidArgument where the
  // optimizer cannot be made with these options.
  static absl::StatusOr<PhasePlan> Create(const v1::Experiment& config, int index, int num_layers);

  int index() const { return index_; }
  const std::string& name() const { return name_; }
  const PsSpace& space() const { return space_; }
  int population() const { return population_; }
  int generations() const { return generations_; }
  int per_generation() const { return per_generation_; }  // problems, as BatchOptions has it
  int top() const { return top_; }                        // candidates that are scored again at the end

  absl::StatusOr<std::unique_ptr<Optimizer>> NewOptimizer() const { return MakeOptimizer(optimizer_); }
  absl::StatusOr<std::unique_ptr<Optimizer>> Restore(std::string_view snapshot) const {
    return RestoreOptimizer(optimizer_, snapshot);
  }

  // A point of the unit cube as a genome.
  std::vector<double> ToGenome(std::span<const double> unit) const { return ScaleFromUnit(space_.genes(), unit); }

  // The known points that are the first candidates of generation 0: model names and "uniform", in their order.
  const std::vector<std::string>& injected_labels() const { return injected_labels_; }

 private:
  explicit PhasePlan(PsSpace space) : space_(std::move(space)) {}
  void Inject(const v1::Merge& merge);

  int index_ = 0;
  std::string name_;
  PsSpace space_;
  OptimizerOptions optimizer_;
  std::vector<std::string> injected_labels_;
  int population_ = 0;
  int generations_ = 0;
  int per_generation_ = 0;
  int top_ = 0;
};

// The label of the injected merge of all sources with equal weights that sum to 1.
inline constexpr char kUniformLabel[] = "uniform";
// The label of x0, the centre of the first generation.
inline constexpr char kStartLabel[] = "start";

}  // namespace heterosis
