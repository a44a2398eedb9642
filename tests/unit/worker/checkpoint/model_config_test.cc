// SPDX-License-Identifier: Apache-2.0
// config.json in the spellings of transformers 4 and 5, what missing keys mean, and what is refused.
#include "worker/checkpoint/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shared.h"
#include "tests/unit/worker/checkpoint/fixture.h"

namespace heterosis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class ModelConfigTest : public testing::Test {
 protected:
  absl::StatusOr<ModelConfig> Read(const Json& json) {
    WriteText(folder_ / "config.json", JsonText(json));
    return ReadModelConfig(folder_.path());
  }
  ModelConfig Good(const Json& json) {
    const auto config = Read(json);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? *config : ModelConfig();
  }
  // Sets `key` in the tiny configuration and expects an error that names the file and says `what`.
  void ExpectRefused(const std::string& key, const Json& value, const std::string& what) {
    Json json = TinyConfig();
    json[key] = value;
    const auto config = Read(json);
    ASSERT_FALSE(config.ok()) << key << " = " << JsonText(value);
    EXPECT_THAT(std::string(config.status().message()), AllOf(HasSubstr("config.json"), HasSubstr(what)));
  }

  TemporaryFolder folder_;
};

TEST_F(ModelConfigTest, SpellingOfTransformers5IsRead) {
  Json json = TinyConfig();
  json["dtype"] = "bfloat16";
  json["rope_parameters"] = {{"rope_type", "linear"}, {"rope_theta", 5000.0}, {"factor", 2.0}};
  const ModelConfig config = Good(json);
  EXPECT_EQ(config.dtype, DType::kBFloat16);
  EXPECT_EQ(config.rope.kind, RopeConfig::Kind::kLinear);
  EXPECT_EQ(config.rope.theta, 5000.0);
  EXPECT_EQ(config.rope.factor, 2.0);
  EXPECT_EQ(config.num_kv_heads, 1);
  EXPECT_EQ(config.sliding_window, std::nullopt);
}

TEST_F(ModelConfigTest, SpellingOfTransformers4IsRead) {
  Json json = TinyConfig();
  json.erase("dtype");
  json.erase("rope_parameters");
  json["torch_dtype"] = "float16";
  json["rope_theta"] = 1000000;
  json["rope_scaling"] = {{"type", "dynamic"}, {"factor", 4}};
  const ModelConfig config = Good(json);
  EXPECT_EQ(config.dtype, DType::kFloat16);
  EXPECT_EQ(config.rope.kind, RopeConfig::Kind::kDynamic);
  EXPECT_EQ(config.rope.theta, 1e6);
  EXPECT_EQ(config.rope.factor, 4.0);
  json["rope_scaling"] = nullptr;
  EXPECT_EQ(Good(json).rope.kind, RopeConfig::Kind::kDefault);
}

TEST_F(ModelConfigTest, MissingKeysMeanWhatTransformersTakes) {
  Json llama = TinyConfig();
  llama["architectures"] = {"LlamaForCausalLM"};
  for (const char* key : {"num_key_value_heads", "head_dim", "rms_norm_eps", "rope_parameters", "sliding_window",
                          "tie_word_embeddings", "dtype", "max_position_embeddings"}) {
    llama.erase(key);
  }
  const ModelConfig config = Good(llama);
  EXPECT_EQ(config.num_kv_heads, 2);
  EXPECT_EQ(config.head_dim, 4);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.rope.theta, 10000.0);
  EXPECT_EQ(config.max_positions, 2048);
  EXPECT_EQ(config.sliding_window, std::nullopt);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.dtype, DType::kFloat32);
  Json mistral = llama;
  mistral["architectures"] = {"MistralForCausalLM"};
  EXPECT_EQ(Good(mistral).sliding_window, 4096);
}

TEST_F(ModelConfigTest, ModelTypeStandsInForArchitectures) {
  Json json = TinyConfig();
  json.erase("architectures");
  EXPECT_EQ(Good(json).architecture, "MistralForCausalLM");
  json.erase("model_type");
  EXPECT_FALSE(Read(json).ok());
}

TEST_F(ModelConfigTest, EndTokensOfBothFilesAreTakenTogether) {
  Json json = TinyConfig();
  json["eos_token_id"] = {7, 2};
  WriteText(folder_ / "generation_config.json", R"({"eos_token_id": 3})");
  EXPECT_THAT(Good(json).eos_token_ids, ElementsAre(2, 3, 7));
  json["eos_token_id"] = nullptr;
  EXPECT_THAT(Good(json).eos_token_ids, ElementsAre(3));
  WriteText(folder_ / "generation_config.json", R"({"eos_token_id": "x"})");
  const auto config = Read(json);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("generation_config.json: \"eos_token_id\""));
}

TEST_F(ModelConfigTest, TensorsOfTheDecoderAreListedInOrder) {
  Json json = TinyConfig();
  json["architectures"] = {"LlamaForCausalLM"};
  json["num_hidden_layers"] = 1;
  json["attention_bias"] = true;
  const std::vector<TensorSpec> tensors = ExpectedTensors(Good(json));
  ASSERT_EQ(tensors.size(), 1 + 2 + 8 + 3 + 2);
  EXPECT_EQ(tensors[0], (TensorSpec{"model.embed_tokens.weight", {10, 8}}));
  EXPECT_EQ(tensors[2], (TensorSpec{"model.layers.0.self_attn.q_proj.weight", {8, 8}}));
  EXPECT_EQ(tensors[5], (TensorSpec{"model.layers.0.self_attn.k_proj.bias", {4}}));
  EXPECT_EQ(tensors.back(), (TensorSpec{"lm_head.weight", {10, 8}}));
  json["tie_word_embeddings"] = true;
  EXPECT_EQ(ExpectedTensors(Good(json)).back().name, "model.norm.weight");
}

TEST_F(ModelConfigTest, YarnAndLlama3AreRead) {
  Json json = TinyConfig();
  json["rope_parameters"] = {
      {"rope_type", "yarn"}, {"factor", 4}, {"original_max_position_embeddings", 2}, {"attention_factor", 1.5}};
  const RopeConfig yarn = Good(json).rope;
  EXPECT_EQ(yarn.kind, RopeConfig::Kind::kYarn);
  EXPECT_EQ(yarn.original_max_positions, 2);
  EXPECT_EQ(yarn.attention_factor, 1.5);
  json["rope_parameters"] = {{"rope_type", "llama3"},
                             {"factor", 8},
                             {"low_freq_factor", 1},
                             {"high_freq_factor", 4},
                             {"original_max_position_embeddings", 8192}};
  const RopeConfig llama3 = Good(json).rope;
  EXPECT_EQ(llama3.kind, RopeConfig::Kind::kLlama3);
  EXPECT_EQ(llama3.high_freq_factor, 4.0);
}

TEST_F(ModelConfigTest, UnsupportedModelsAreRefusedByName) {
  ExpectRefused("architectures", {"Qwen3ForCausalLM"}, "Qwen3ForCausalLM is not supported");
  ExpectRefused("hidden_act", "gelu", "\"hidden_act\": gelu");
  ExpectRefused("quantization_config", {{"bits", 4}}, "quantized");
  ExpectRefused("dtype", "float8_e4m3fn", "\"dtype\"");
  ExpectRefused("rope_parameters", {{"rope_type", "longrope"}, {"factor", 2}}, "longrope");
  ExpectRefused("rope_parameters", {{"rope_type", "yarn"}, {"factor", 2}, {"truncate", false}}, "truncate");
  ExpectRefused("partial_rotary_factor", 0.5, "partial_rotary_factor");
}

TEST_F(ModelConfigTest, ImpossibleNumbersAreRefusedByKey) {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "head_dim", "vocab_size", "max_position_embeddings"}) {
    for (const Json& value : {Json(0), Json(-3), Json(1.5), Json("8"), Json(int64_t{1} << 40), Json(1e300)}) {
      ExpectRefused(key, value, key);
    }
  }
  ExpectRefused("num_hidden_layers", 100'001, "num_hidden_layers");
  ExpectRefused("num_key_value_heads", 3, "not a multiple");
  ExpectRefused("head_dim", 5, "even");
  ExpectRefused("sliding_window", 0, "sliding_window");
  ExpectRefused("rms_norm_eps", -1, "rms_norm_eps");
  ExpectRefused("rope_parameters", {{"rope_theta", 0}}, "rope_theta");
  ExpectRefused("rope_parameters", {{"rope_type", "linear"}}, "factor");
  ExpectRefused("rope_parameters", {{"rope_type", "linear"}, {"factor", -1}}, "factor");
  ExpectRefused("rope_parameters", "x", "rope_parameters");
  ExpectRefused("tie_word_embeddings", "yes", "tie_word_embeddings");
  ExpectRefused("eos_token_id", -2, "eos_token_id");
  ExpectRefused("eos_token_id", {{"a", 1}}, "eos_token_id");
}

TEST_F(ModelConfigTest, MissingKeyIsNamed) {
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    Json json = TinyConfig();
    json.erase(key);
    const auto config = Read(json);
    EXPECT_THAT(std::string(config.status().message()), HasSubstr(key));
  }
}

TEST_F(ModelConfigTest, BrokenFilesAreRefused) {
  for (const char* text : {"", "[]", "{", "null", R"({"hidden_size": 1, "hidden_size": 2})"}) {
    WriteText(folder_ / "config.json", text);
    const auto config = ReadModelConfig(folder_.path());
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_THAT(std::string(config.status().message()), HasSubstr("config.json"));
  }
  EXPECT_FALSE(ReadModelConfig(folder_ / "absent").ok());
}

}  // namespace
}  // namespace heterosis
