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

namespace {

absl::Status CheckDepths(const std::vector<std::string>& names, const std::vector<const ModelConfig*>& configs,
                         int64_t depth) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (!configs[i]->path.hops.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "model \"", names[i], "\" is a data-flow model with a path of its own: such models can be run, not merged"));
    }
    if (configs[i]->num_layers != depth) {
      return absl::InvalidArgumentError(absl::StrCat("model \"", names[i], "\" has ", configs[i]->num_layers,
                                                     " layers, the merged model has ", depth,
                                                     "; only models of one depth can be merged"));
    }
  }
  return absl::OkStatus();
}

// Takes over all that a layer is made of.
void UseLayersOf(const ModelConfig& source, ModelConfig& config) {
  config.architecture = source.architecture;
  config.hidden_size = source.hidden_size;
  config.intermediate_size = source.intermediate_size;
  config.num_layers = source.num_layers;
  config.num_heads = source.num_heads;
  config.num_kv_heads = source.num_kv_heads;
  config.head_dim = source.head_dim;
  config.rms_norm_eps = source.rms_norm_eps;
  config.rope = source.rope;
  config.sliding_window = source.sliding_window;
  config.attention_bias = source.attention_bias;
  config.mlp_bias = source.mlp_bias;
}

// The tensors of a result with this configuration.
std::vector<TensorSpec> OutputOf(const ModelConfig& config, bool layers_only) {
  std::vector<TensorSpec> specs = ExpectedTensors(config);
  if (layers_only) {
    std::erase_if(specs, [](const TensorSpec& spec) { return LayerOf(spec.name) < 0; });
  }
  return specs;
}

}  // namespace

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
  if (shape.depth_of_sources) UseLayersOf(*configs.front(), made.config);
  RETURN_IF_ERROR(CheckDepths(names, configs, made.config.num_layers));
  options.output = OutputOf(made.config, shape.layers_only);
  ASSIGN_OR_RETURN(made.merger, Merger::Create(std::move(options)));
  return made;
}

}  // namespace heterosis
