// SPDX-License-Identifier: Apache-2.0
// One phase of a config, resolved: its search space, its optimizer and how much it evaluates.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/model_folder.h"
#include "common/genome/search_space.h"
#include "coordinator/optimizer/optimizer.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Genomes are in gene units here, optimizers work in the unit cube; this is where one becomes the other.
class PhasePlan {
 public:
  // `config` is resolved and checked (common/config), `index` the place of the phase in it. InvalidArgument where the
  // optimizer cannot be made with these options.
  static absl::StatusOr<PhasePlan> Create(const v1::Experiment& config, int index, const ModelLayers& layers);

  // The earlier phases whose winners are models of this one. Before the phase begins UseWinners must have got them, by
  // the name of their phase; the space's recipes are not whole before.
  const std::vector<std::string>& phases_needed() const { return phases_needed_; }
  void UseWinners(const v1::Experiment& config, const std::map<std::string, Recipe>& winners);

  int index() const { return index_; }
  const std::string& name() const { return name_; }
  const SearchSpace& space() const { return *space_; }
  int population() const { return population_; }
  int generations() const { return generations_; }
  int per_generation() const { return per_generation_; }  // problems, as BatchOptions has it
  int top() const { return top_; }                        // candidates that are scored again at the end
  // Whether each generation's best and the mean are scored on validation, too.
  bool validates_each_generation() const { return validates_each_generation_; }
  DType out_dtype() const { return out_dtype_; }

  absl::StatusOr<std::unique_ptr<Optimizer>> NewOptimizer() const { return MakeOptimizer(optimizer_); }
  absl::StatusOr<std::unique_ptr<Optimizer>> Restore(std::string_view snapshot) const {
    return RestoreOptimizer(optimizer_, snapshot);
  }

  // A point of the unit cube as a genome.
  std::vector<double> ToGenome(std::span<const double> unit) const { return ScaleFromUnit(space_->genes(), unit); }

  // The known points that are the first candidates of generation 0: model names and "uniform", in their order.
  const std::vector<std::string>& injected_labels() const { return injected_labels_; }

 private:
  PhasePlan() = default;
  absl::Status MakeSpace(const v1::Experiment& config, const ModelLayers& layers);
  void Inject();

  int index_ = 0;
  std::string name_;
  std::shared_ptr<const SearchSpace> space_;
  std::vector<std::string> phases_needed_;
  DType out_dtype_ = DType::kBFloat16;
  OptimizerOptions optimizer_;
  std::vector<std::string> injected_labels_;
  int population_ = 0;
  int generations_ = 0;
  int per_generation_ = 0;
  int top_ = 0;
  bool validates_each_generation_ = false;
};

// The label of x0, the centre of the first generation.
inline constexpr char kStartLabel[] = "start";

}  // namespace heterosis
