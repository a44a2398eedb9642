// SPDX-License-Identifier: Apache-2.0
// Implements weights.h.
#include "worker/model/weights.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <string>
#include <unordered_map>

#include "absl/strings/str_cat.h"

namespace heterosis {

DecoderWeights ArrangeWeights(const ModelConfig& config, std::span<const MutableTensor> tensors) {
  std::unordered_map<std::string, const MutableTensor*> by_name;
  for (const MutableTensor& tensor : tensors) by_name[tensor.name] = &tensor;
  const auto find = [&](const std::string& name) -> const MutableTensor* {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : found->second;
  };
  const auto linear = [&](const std::string& name) {
    return LinearWeights{find(absl::StrCat(name, ".weight")), find(absl::StrCat(name, ".bias"))};
  };
  DecoderWeights weights;
  weights.embedding = find("model.embed_tokens.weight");
  weights.norm = find("model.norm.weight");
  weights.head = config.tie_word_embeddings ? LinearWeights{weights.embedding, nullptr} : linear("lm_head");
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string prefix = absl::StrCat("model.layers.", i, ".");
    LayerWeights layer;
    layer.input_norm = find(prefix + "input_layernorm.weight");
    layer.post_norm = find(prefix + "post_attention_layernorm.weight");
    layer.q = linear(prefix + "self_attn.q_proj");
    layer.k = linear(prefix + "self_attn.k_proj");
    layer.v = linear(prefix + "self_attn.v_proj");
    layer.o = linear(prefix + "self_attn.o_proj");
    layer.gate = linear(prefix + "mlp.gate_proj");
    layer.up = linear(prefix + "mlp.up_proj");
    layer.down = linear(prefix + "mlp.down_proj");
    assert(layer.input_norm && layer.post_norm && layer.q.weight && layer.o.weight && layer.down.weight);
    weights.layers.push_back(layer);
  }
  assert(weights.embedding && weights.norm && weights.head.weight);
  return weights;
}

float HalfToFloat(uint16_t value) {
  const uint32_t sign = static_cast<uint32_t>(value & 0x8000) << 16;
  const uint32_t rest = static_cast<uint32_t>(value & 0x7fff) << 13;
  if ((value & 0x7c00) == 0x7c00) return std::bit_cast<float>(sign | 0x7f800000u | rest);
  // Seen as an f32, the bits are 2^112 too small; the product is exact, also for subnormal numbers.
  const float magnitude = std::bit_cast<float>(rest) * std::bit_cast<float>(0x77800000u);
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

uint16_t FloatToHalf(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

void ReadFloats(const MutableTensor& tensor, int64_t begin, std::span<float> out) {
  if (tensor.dtype == DType::kFloat32) {
    std::memcpy(out.data(), tensor.data + begin * 4, out.size_bytes());
    return;
  }
  const uint16_t* from = reinterpret_cast<const uint16_t*>(tensor.data) + begin;  // aligned to an element
  if (tensor.dtype == DType::kBFloat16) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = Bf16ToFloat(from[i]);
  } else {
    for (size_t i = 0; i < out.size(); ++i) out[i] = HalfToFloat(from[i]);
  }
}

void CopyConverted(const ConstTensor& from, const MutableTensor& to) {
  const int64_t count = ElementCount(to.shape);
  if (from.dtype == to.dtype) {
    std::memcpy(to.data, from.data, static_cast<size_t>(count) * SizeBytes(to.dtype));
    return;
  }
  const MutableTensor source{from.name, from.shape, from.dtype, const_cast<std::byte*>(from.data)};  // only read
  float part[256];
  for (int64_t begin = 0; begin < count; begin += 256) {
    const size_t size = static_cast<size_t>(std::min<int64_t>(256, count - begin));
    ReadFloats(source, begin, {part, size});
    for (size_t i = 0; i < size; ++i) {
      std::byte* out = to.data + (begin + static_cast<int64_t>(i)) * static_cast<int64_t>(SizeBytes(to.dtype));
      if (to.dtype == DType::kFloat32) {
        std::memcpy(out, &part[i], sizeof(float));
      } else {
        const uint16_t bits = to.dtype == DType::kBFloat16 ? FloatToBf16(part[i]) : FloatToHalf(part[i]);
        std::memcpy(out, &bits, sizeof(bits));
      }
    }
  }
}

}  // namespace heterosis
