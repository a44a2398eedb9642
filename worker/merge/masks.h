// SPDX-License-Identifier: Apache-2.0
// DARE's masks as bits of whole tensors, from mergekit's random stream.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "common/genome/recipe.h"

namespace heterosis {

// The stream that torch.bernoulli draws from on a CPU after torch.manual_seed(seed): one number per element, tensors in
// lexicographic order of their names, sources in the recipe's order, elements in row-major order.
class MergekitMaskStream {
 public:
  explicit MergekitMaskStream(uint64_t seed) : engine_(static_cast<uint32_t>(seed)) {}

  // Draws n elements with the probability `density`, which is rounded as torch stores it (bfloat16 in that work dtype,
  // float32 otherwise): bit i % 64 of (*bits)[i / 64] is set where element i is kept. Grows `bits` where needed.
  void Draw(double density, DType work, int64_t n, std::vector<uint64_t>* bits);

 private:
  std::mt19937 engine_;
};

// mask[i] = all ones where bit `begin + i` is set, else 0.
void ExpandMask(const std::vector<uint64_t>& bits, int64_t begin, size_t n, uint32_t* mask);

}  // namespace heterosis
