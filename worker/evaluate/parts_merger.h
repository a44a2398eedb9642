// SPDX-License-Identifier: Apache-2.0
// Every merge of a recipe, into one model that holds them all: of a path the parts' layers one after another, with
// embedding, norm and head of part 0. A recipe without a path is its own only part.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "worker/checkpoint/model_config.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/recipe_merger.h"

namespace heterosis {

// Move-only; not thread-safe.
class PartsMerger {
 public:
  // INVALID_ARGUMENT for parts whose layers do not fit each other; the error names the models and the sizes.
  static absl::StatusOr<PartsMerger> Create(const Recipe& recipe, ModelLibrary& library, int threads);

  // Whether it was made for such a recipe: the same models in the same places.
  bool Serves(const Recipe& recipe) const;

  size_t parts() const { return mergers_.size(); }
  const ModelConfig& config() const { return config_; }  // with the layers of all parts
  const std::vector<TensorSpec>& output() const { return output_; }
  const LoadedModel& tokenizer_model() const { return mergers_.front().tokenizer_model; }

  // The recipe's path by the layers of config(); without one each layer once. INVALID_ARGUMENT for a layer that its
  // part has not, and for another tokenizer than part 0's.
  absl::StatusOr<PathConfig> PathOf(const Recipe& recipe) const;

  // Writes part `part` to its tensors among `slots`, which are those of output().
  absl::Status Merge(const Recipe& recipe, size_t part, std::span<const MutableTensor> slots);

 private:
  PartsMerger() = default;

  std::vector<RecipeMerger> mergers_;
  std::vector<int64_t> first_layers_;  // in config(), of each part
  ModelConfig config_;
  std::vector<TensorSpec> output_;
};

// The parts of a recipe: of a merge the recipe itself.
std::span<const Recipe> PartsOf(const Recipe& recipe);

}  // namespace heterosis
