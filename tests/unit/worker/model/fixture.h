// SPDX-License-Identifier: Apache-2.0
// Small decoders made in memory: random ones, and ones that follow a script.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "worker/model/model.h"
#include "worker/model/weights.h"

namespace heterosis {

// Two layers, 3 query heads a KV head, sizes that are no multiple of any vector's.
inline ModelConfig SmallConfig() {
  ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.hidden_size = 42;
  config.intermediate_size = 71;
  config.num_layers = 2;
  config.num_heads = 6;
  config.num_kv_heads = 2;
  config.head_dim = 10;
  config.vocab_size = 97;
  config.max_positions = 120;
  return config;
}

// Writes value(tensor, element) into a slot, in its dtype.
inline void Fill(const MutableTensor& slot, const std::function<float(int64_t)>& value) {
  for (int64_t i = 0; i < ElementCount(slot.shape); ++i) {
    const float number = value(i);
    if (slot.dtype == DType::kFloat32) {
      std::memcpy(slot.data + 4 * i, &number, 4);
    } else {
      const uint16_t half = slot.dtype == DType::kBFloat16 ? FloatToBf16(number) : FloatToHalf(number);
      std::memcpy(slot.data + 2 * i, &half, 2);
    }
  }
}

// Fills the slots with random numbers that depend on `seed` only; tells the engine.
inline void FillRandomly(Model& model, uint64_t seed) {
  for (const MutableTensor& slot : model.slots()) {
    RandomStream random(RandomKey({seed, HashText(slot.name)}));
    const float shift = slot.name.ends_with("norm.weight") ? 1.0f : 0.0f;
    Fill(slot,
         [&](int64_t) { return Bf16ToFloat(FloatToBf16(static_cast<float>(random.NextNormal() * 0.15) + shift)); });
  }
  ASSERT_TRUE(model.WeightsChanged().ok());
}

inline std::unique_ptr<Model> MakeModel(const ModelConfig& config, int threads, const ModelOptions& options = {}) {
  auto model = Model::Create(config, OpenCpu(threads), options);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

inline std::unique_ptr<Model> RandomModel(const ModelConfig& config, int threads, const ModelOptions& options = {},
                                          uint64_t seed = 1) {
  std::unique_ptr<Model> model = MakeModel(config, threads, options);
  FillRandomly(*model, seed);
  return model;
}

inline std::vector<int32_t> RandomTokens(uint64_t seed, size_t count, int64_t vocabulary) {
  RandomStream random(seed);
  std::vector<int32_t> tokens(count);
  for (int32_t& token : tokens) token = static_cast<int32_t>(random.NextBelow(static_cast<uint64_t>(vocabulary)));
  return tokens;
}

// A model that answers token t with `next[t]`, whatever came before: one-hot embeddings, layers that add nothing, and a
// head that points to the successor.
inline std::unique_ptr<Model> ScriptedModel(const std::vector<int32_t>& next, int64_t max_positions, int threads = 1) {
  ModelConfig config = SmallConfig();
  config.vocab_size = static_cast<int64_t>(next.size());
  config.hidden_size = config.vocab_size;
  config.max_positions = max_positions;
  std::unique_ptr<Model> model = MakeModel(config, threads);
  const int64_t n = config.vocab_size;
  for (const MutableTensor& slot : model->slots()) {
    const bool is_embedding = slot.name == "model.embed_tokens.weight", is_head = slot.name == "lm_head.weight";
    const bool is_norm = slot.name.ends_with("norm.weight");
    Fill(slot, [&](int64_t i) {
      if (is_embedding) return i / n == i % n ? 1.0f : 0.0f;
      if (is_head) return next[static_cast<size_t>(i % n)] == i / n ? 1.0f : 0.0f;
      return is_norm ? 1.0f : 0.0f;
    });
  }
  EXPECT_TRUE(model->WeightsChanged().ok());
  return model;
}

}  // namespace heterosis
