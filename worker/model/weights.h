// SPDX-License-Identifier: Apache-2.0
// The tensors of a decoder by their part in it, and reading them as numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/checkpoint/model_config.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

// A matrix with an optional bias.
struct LinearWeights {
  const MutableTensor* weight = nullptr;
  const MutableTensor* bias = nullptr;
};

struct LayerWeights {
  const MutableTensor* input_norm = nullptr;
  LinearWeights q, k, v, o;
  const MutableTensor* post_norm = nullptr;
  LinearWeights gate, up, down;
};

// Borrows the tensors.
struct DecoderWeights {
  const MutableTensor* embedding = nullptr;
  std::vector<LayerWeights> layers;
  const MutableTensor* norm = nullptr;
  LinearWeights head;  // the embedding, where tied
};

// `tensors` are ExpectedTensors(config), all of them.
DecoderWeights ArrangeWeights(const ModelConfig& config, std::span<const MutableTensor> tensors);

// Elements [begin, begin + out.size()) as f32.
void ReadFloats(const MutableTensor& tensor, int64_t begin, std::span<float> out);

// Copies all elements, converting the dtype; to nearest even.
void CopyConverted(const ConstTensor& from, const MutableTensor& to);

// Elements to and from other types, to nearest even.
inline uint16_t FloatToBf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}
inline float Bf16ToFloat(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}
float HalfToFloat(uint16_t value);
uint16_t FloatToHalf(float value);

}  // namespace heterosis
