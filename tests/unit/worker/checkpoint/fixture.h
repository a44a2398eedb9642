// SPDX-License-Identifier: Apache-2.0
// Small model folders and hand-written safetensors files for the checkpoint tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "worker/checkpoint/model_config.h"
#include "worker/checkpoint/safetensors.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

inline void WriteText(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A safetensors file: the length of `header`, `header`, then `data_bytes` bytes that count up.
inline std::string SafetensorsText(std::string_view header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string text(sizeof(length), '\0');
  std::memcpy(text.data(), &length, sizeof(length));
  text += header;
  for (size_t i = 0; i < data_bytes; ++i) text += static_cast<char>(i);
  return text;
}

// config.json of a model with two layers and 8 positions, in the spelling of transformers 5.
inline Json TinyConfig() {
  return {{"architectures", {"MistralForCausalLM"}},
          {"model_type", "mistral"},
          {"hidden_act", "silu"},
          {"hidden_size", 8},
          {"intermediate_size", 12},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"num_key_value_heads", 1},
          {"head_dim", 4},
          {"vocab_size", 10},
          {"max_position_embeddings", 8},
          {"rms_norm_eps", 1e-5},
          {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 10000.0}}},
          {"sliding_window", nullptr},
          {"tie_word_embeddings", false},
          {"dtype", "float32"}};
}

// Owns tensors of the given names and shapes whose bytes differ from tensor to tensor.
class TensorSet {
 public:
  TensorSet(const std::vector<TensorSpec>& specs, DType dtype) {
    memory_.reserve(specs.size());
    for (const TensorSpec& spec : specs) {
      auto& bytes = memory_.emplace_back(static_cast<size_t>(ElementCount(spec.shape)) * SizeBytes(dtype));
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(memory_.size() * 31 + i * 7);
      tensors_.push_back({spec.name, spec.shape, dtype, bytes.data()});
    }
  }
  std::vector<ConstTensor>& tensors() { return tensors_; }

 private:
  std::vector<std::vector<std::byte>> memory_;
  std::vector<ConstTensor> tensors_;
};

inline ModelConfig ConfigOf(const std::string& folder, const Json& json) {
  WriteText(folder + "/config.json", JsonText(json));
  auto config = ReadModelConfig(folder);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : ModelConfig();
}

// Writes a whole model into `folder` as one file.
inline void WriteTinyModel(const std::string& folder, const Json& json, DType dtype) {
  TensorSet set(ExpectedTensors(ConfigOf(folder, json)), dtype);
  const absl::Status written = WriteSafetensors(folder + "/model.safetensors", set.tensors());
  ASSERT_TRUE(written.ok()) << written;
}

inline void ExpectSameBytes(const ConstTensor& a, const ConstTensor& b) {
  ASSERT_EQ(a.name, b.name);
  ASSERT_EQ(a.shape, b.shape);
  ASSERT_EQ(a.dtype, b.dtype);
  const size_t bytes = static_cast<size_t>(ElementCount(a.shape)) * SizeBytes(a.dtype);
  EXPECT_EQ(std::memcmp(a.data, b.data, bytes), 0) << a.name;
}

}  // namespace heterosis
