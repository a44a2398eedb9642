// SPDX-License-Identifier: Apache-2.0
// config.json of a Llama or Mistral decoder, in the spelling of transformers 4 (torch_dtype, rope_theta, rope_scaling)
// and of 5 (dtype, rope_parameters).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "worker/checkpoint/path_config.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

// Rotary embedding and its scalings (transformers/modeling_rope_utils.py: default, linear, dynamic, yarn, llama3).
struct RopeConfig {
  enum class Kind { kDefault, kLinear, kDynamic, kYarn, kLlama3 };
  Kind kind = Kind::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  double low_freq_factor = 1.0;            // llama3
  double high_freq_factor = 4.0;           // llama3
  double beta_fast = 32.0;                 // yarn
  double beta_slow = 1.0;                  // yarn
  std::optional<double> attention_factor;  // yarn
  int64_t original_max_positions = 0;      // dynamic, yarn, llama3; 0 = max_positions
};

struct ModelConfig {
  std::string architecture;  // "LlamaForCausalLM" or "MistralForCausalLM", also of a data-flow model's layers
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;  // that are stored; a path may take one several times
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t vocab_size = 0;
  int64_t max_positions = 0;
  double rms_norm_eps = 1e-6;
  RopeConfig rope;
  PathConfig path;                        // of a data-flow model
  std::optional<int64_t> sliding_window;  // tokens
  bool tie_word_embeddings = false;
  bool attention_bias = false;
  bool mlp_bias = false;
  DType dtype = DType::kFloat32;
  std::vector<int64_t> eos_token_ids;  // of config.json and generation_config.json together
  Json raw;                            // all of config.json, to write an export from
};

// Reads config.json (and generation_config.json where present) of a model folder. Errors name the file and the key,
// among them unsupported architectures, activations and scalings.
absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& folder);

// Every tensor that a model with this configuration has, in the order of the decoder (embedding, layers, norm, head).
// A tied head is not listed.
std::vector<TensorSpec> ExpectedTensors(const ModelConfig& config);

// The layer that a tensor belongs to by its name ("model.layers.12.mlp.up_proj.weight"), or -1.
int64_t LayerOf(std::string_view name);
// The name of the same tensor of another layer; `name` belongs to a layer.
std::string NameInLayer(std::string_view name, int64_t layer);

}  // namespace heterosis
