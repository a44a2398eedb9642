// SPDX-License-Identifier: Apache-2.0
// Implements model_config.h; what a missing key means is taken from transformers' LlamaConfig and MistralConfig.
#include "worker/checkpoint/model_config.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "worker/checkpoint/rope_config.h"

namespace heterosis {
namespace {

constexpr std::string_view kLayerPrefix = "model.layers.";
constexpr size_t kConfigBytesMax = size_t{16} << 20;
constexpr int64_t kExtentMax = int64_t{1} << 28;  // of any one size in a config: products of two cannot overflow

absl::StatusOr<Json> ReadConfigFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kConfigBytesMax));
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return Annotate(json.status(), path);
  if (!json->is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": must hold a JSON object"));
  return json;
}

bool Present(const Json& config, std::string_view key) {
  const Json* member = JsonFind(config, key);
  return member != nullptr && !member->is_null();
}

// A size in [1, kExtentMax]; `fallback` where the key is absent or null, an error if that is 0.
absl::StatusOr<int64_t> ReadSize(const Json& config, std::string_view key, int64_t fallback = 0) {
  if (!Present(config, key) && fallback > 0) return fallback;
  ASSIGN_OR_RETURN(const int64_t value, JsonInt(config, key));
  if (value < 1 || value > kExtentMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", std::string(key), "\" must be between 1 and ", kExtentMax, ", but is ", value));
  }
  return value;
}

absl::StatusOr<bool> ReadFlag(const Json& config, std::string_view key) {
  if (!Present(config, key)) return false;
  return JsonBool(config, key);
}

absl::StatusOr<std::string> ReadArchitecture(const Json& config) {
  std::string name;
  const Json* list = JsonFind(config, "architectures");
  if (list != nullptr && list->is_array() && list->size() == 1 && list->front().is_string()) {
    name = list->front().get<std::string>();
  } else if (Present(config, "model_type")) {
    ASSIGN_OR_RETURN(name, JsonString(config, "model_type"));
    if (name == "llama") name = "LlamaForCausalLM";
    if (name == "mistral") name = "MistralForCausalLM";
  } else {
    return absl::InvalidArgumentError("neither \"architectures\" nor \"model_type\" says what model this is");
  }
  if (name == kPathArchitecture) {
    ASSIGN_OR_RETURN(name, JsonString(config, kLayerArchitectureKey));
  }
  if (name == "LlamaForCausalLM" || name == "MistralForCausalLM") return name;
  return absl::UnimplementedError(
      absl::StrCat("\"architectures\": ", name, " is not supported; supported: LlamaForCausalLM, MistralForCausalLM"));
}

absl::StatusOr<DType> ReadDType(const Json& config) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    if (!Present(config, key)) continue;
    ASSIGN_OR_RETURN(const std::string name, JsonString(config, key));
    absl::StatusOr<DType> dtype = DTypeFromName(name);
    if (!dtype.ok()) return Annotate(dtype.status(), absl::StrCat("\"", key, "\""));
    return dtype;
  }
  return DType::kFloat32;
}

absl::Status CheckUnsupported(const Json& config) {
  if (Present(config, "hidden_act")) {
    ASSIGN_OR_RETURN(const std::string activation, JsonString(config, "hidden_act"));
    if (activation != "silu" && activation != "swish") {
      return absl::UnimplementedError(
          absl::StrCat("\"hidden_act\": ", activation, " is not supported; supported: silu"));
    }
  }
  if (Present(config, "quantization_config")) {
    return absl::UnimplementedError(
        "\"quantization_config\": quantized models cannot be merged; use the original in bfloat16, float16 or float32");
  }
  return absl::OkStatus();
}

absl::Status ReadAttention(const Json& json, ModelConfig* config) {
  ASSIGN_OR_RETURN(config->num_heads, ReadSize(json, "num_attention_heads"));
  ASSIGN_OR_RETURN(config->num_kv_heads, ReadSize(json, "num_key_value_heads", config->num_heads));
  if (config->num_heads % config->num_kv_heads != 0) {
    return absl::InvalidArgumentError(absl::StrCat("\"num_attention_heads\" (", config->num_heads,
                                                   ") is not a multiple of \"num_key_value_heads\" (",
                                                   config->num_kv_heads, ")"));
  }
  if (!Present(json, "head_dim") && config->hidden_size % config->num_heads != 0) {
    return absl::InvalidArgumentError(
        "\"head_dim\" is missing, and \"hidden_size\" is no multiple of \"num_attention_heads\"");
  }
  ASSIGN_OR_RETURN(config->head_dim, ReadSize(json, "head_dim", config->hidden_size / config->num_heads));
  if (config->head_dim % 2 != 0) return absl::InvalidArgumentError("\"head_dim\" must be even");
  if (config->architecture == "LlamaForCausalLM") {
    ASSIGN_OR_RETURN(config->attention_bias, ReadFlag(json, "attention_bias"));
    ASSIGN_OR_RETURN(config->mlp_bias, ReadFlag(json, "mlp_bias"));
    return absl::OkStatus();
  }
  if (JsonFind(json, "sliding_window") == nullptr) {
    config->sliding_window = 4096;  // MistralConfig's; null means none
  } else if (Present(json, "sliding_window")) {
    ASSIGN_OR_RETURN(config->sliding_window, ReadSize(json, "sliding_window"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelConfig> FromJson(const Json& json) {
  ModelConfig config;
  ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(json));
  RETURN_IF_ERROR(CheckUnsupported(json));
  ASSIGN_OR_RETURN(config.hidden_size, ReadSize(json, "hidden_size"));
  ASSIGN_OR_RETURN(config.intermediate_size, ReadSize(json, "intermediate_size"));
  ASSIGN_OR_RETURN(config.num_layers, ReadSize(json, "num_hidden_layers"));
  if (config.num_layers > 100'000) return absl::InvalidArgumentError("\"num_hidden_layers\" is above 100000");
  ASSIGN_OR_RETURN(config.path, ReadPathConfig(json, config.num_layers));
  for (size_t i = 0; i < config.path.hops.size(); ++i) {
    config.num_layers = std::max<int64_t>(i == 0 ? 1 : config.num_layers, config.path.hops[i].layer + 1);
  }
  ASSIGN_OR_RETURN(config.vocab_size, ReadSize(json, "vocab_size"));
  const bool is_llama = config.architecture == "LlamaForCausalLM";
  ASSIGN_OR_RETURN(config.max_positions, ReadSize(json, "max_position_embeddings", is_llama ? 2048 : 4096 * 32));
  if (Present(json, "rms_norm_eps")) {
    ASSIGN_OR_RETURN(config.rms_norm_eps, JsonNumber(json, "rms_norm_eps"));
  }
  if (!std::isfinite(config.rms_norm_eps) || config.rms_norm_eps < 0) {
    return absl::InvalidArgumentError("\"rms_norm_eps\" must be a number >= 0");
  }
  RETURN_IF_ERROR(ReadAttention(json, &config));
  ASSIGN_OR_RETURN(config.rope, ReadRopeConfig(json, config.max_positions));
  ASSIGN_OR_RETURN(config.tie_word_embeddings, ReadFlag(json, "tie_word_embeddings"));
  ASSIGN_OR_RETURN(config.dtype, ReadDType(json));
  return config;
}

// Adds `eos_token_id`: a number, a list of numbers, or null.
absl::Status AddEndTokens(const Json& json, std::vector<int64_t>* ids) {
  if (!Present(json, "eos_token_id")) return absl::OkStatus();
  const Json& value = *JsonFind(json, "eos_token_id");
  const Json list = value.is_array() ? value : Json::array({value});
  for (const Json& id : list) {
    if (!id.is_number_integer() || id < 0 || id > kExtentMax) {
      return absl::InvalidArgumentError("\"eos_token_id\" must be a token id or a list of them");
    }
    ids->push_back(id.get<int64_t>());
  }
  std::sort(ids->begin(), ids->end());
  ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
  return absl::OkStatus();
}

void AddLinear(const std::string& name, int64_t rows, int64_t columns, bool bias, std::vector<TensorSpec>* tensors) {
  tensors->push_back({name + ".weight", {rows, columns}});
  if (bias) tensors->push_back({name + ".bias", {rows}});
}

}  // namespace

absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& folder) {
  const std::string path = folder + "/config.json";
  ASSIGN_OR_RETURN(Json json, ReadConfigFile(path));
  absl::StatusOr<ModelConfig> config = FromJson(json);
  if (!config.ok()) return Annotate(config.status(), path);
  const absl::Status end_tokens = AddEndTokens(json, &config->eos_token_ids);
  if (!end_tokens.ok()) return Annotate(end_tokens, path);
  const std::string generation_path = folder + "/generation_config.json";
  if (FileExists(generation_path)) {
    ASSIGN_OR_RETURN(const Json generation, ReadConfigFile(generation_path));
    const absl::Status added = AddEndTokens(generation, &config->eos_token_ids);
    if (!added.ok()) return Annotate(added, generation_path);
  }
  config->raw = std::move(json);
  return config;
}

std::vector<TensorSpec> ExpectedTensors(const ModelConfig& config) {
  std::vector<TensorSpec> tensors;
  const int64_t hidden = config.hidden_size;
  const int64_t query = config.num_heads * config.head_dim;
  const int64_t key = config.num_kv_heads * config.head_dim;
  tensors.push_back({"model.embed_tokens.weight", {config.vocab_size, hidden}});
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string layer = absl::StrCat("model.layers.", i, ".");
    tensors.push_back({layer + "input_layernorm.weight", {hidden}});
    AddLinear(layer + "self_attn.q_proj", query, hidden, config.attention_bias, &tensors);
    AddLinear(layer + "self_attn.k_proj", key, hidden, config.attention_bias, &tensors);
    AddLinear(layer + "self_attn.v_proj", key, hidden, config.attention_bias, &tensors);
    AddLinear(layer + "self_attn.o_proj", hidden, query, config.attention_bias, &tensors);
    tensors.push_back({layer + "post_attention_layernorm.weight", {hidden}});
    AddLinear(layer + "mlp.gate_proj", config.intermediate_size, hidden, config.mlp_bias, &tensors);
    AddLinear(layer + "mlp.up_proj", config.intermediate_size, hidden, config.mlp_bias, &tensors);
    AddLinear(layer + "mlp.down_proj", hidden, config.intermediate_size, config.mlp_bias, &tensors);
  }
  tensors.push_back({"model.norm.weight", {hidden}});
  if (!config.tie_word_embeddings) tensors.push_back({"lm_head.weight", {config.vocab_size, hidden}});
  return tensors;
}

int64_t LayerOf(std::string_view name) {
  if (!name.starts_with(kLayerPrefix)) return -1;
  name.remove_prefix(kLayerPrefix.size());
  int64_t layer = -1;
  const std::string number(name.substr(0, name.find('.')));
  return absl::SimpleAtoi(number, &layer) ? layer : -1;
}

std::string NameInLayer(std::string_view name, int64_t layer) {
  const size_t end = name.find('.', kLayerPrefix.size());
  return absl::StrCat(std::string(kLayerPrefix), layer, std::string(name.substr(end)));
}

}  // namespace heterosis
