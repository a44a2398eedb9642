// SPDX-License-Identifier: Apache-2.0
// Implements recipe_merger.h.
#include "worker/evaluate/recipe_merger.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "worker/checkpoint/checkpoint_writer.h"

namespace heterosis {

MergeShape ShapeOf(const Recipe& recipe) {
  return {recipe.base, recipe.sources, recipe.tokenizer, recipe.out_dtype};
}

absl::StatusOr<RecipeMerger> MakeRecipeMerger(const MergeShape& shape, ModelLibrary& library, int threads) {
  std::vector<std::string> names = shape.sources;
  if (!shape.base.empty()) names.push_back(shape.base);
  RecipeMerger made;
  made.shape = shape;
  ASSIGN_OR_RETURN(made.tokenizer_model, library.Get(shape.tokenizer));
  MergerOptions options;
  options.threads = threads;
  options.output_vocabulary = made.tokenizer_model.tokenizer->vocabulary();
  std::vector<const ModelConfig*> configs;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const LoadedModel model, library.Get(name));
    configs.push_back(&model.checkpoint->config());
    options.models.push_back(ModelOf(name, model.checkpoint, model.tokenizer->vocabulary()));
  }
  made.config = OutputConfig(made.tokenizer_model.checkpoint->config(), configs, shape.out_dtype);
  options.output = ExpectedTensors(made.config);
  ASSIGN_OR_RETURN(made.merger, Merger::Create(std::move(options)));
  return made;
}

}  // namespace heterosis
