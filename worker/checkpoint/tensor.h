// SPDX-License-Identifier: Apache-2.0
// Views of named tensors: what a checkpoint holds, what a merge reads and writes, what a model computes with.
// Row-major, dense, in host memory; nobody owns through these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/genome/recipe.h"

namespace heterosis {

inline size_t SizeBytes(DType dtype) {
  return dtype == DType::kFloat32 ? 4 : 2;
}

// A tensor that a model of some architecture must have.
struct TensorSpec {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;
  bool operator==(const TensorSpec&) const = default;
};

struct ConstTensor {
  std::string name;
  std::vector<int64_t> shape;
  DType dtype = DType::kFloat32;
  const std::byte* data = nullptr;  // aligned only to the size of an element
};

struct MutableTensor {
  std::string name;
  std::vector<int64_t> shape;
  DType dtype = DType::kFloat32;
  std::byte* data = nullptr;  // aligned to 64 bytes
};

inline int64_t ElementCount(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace heterosis
