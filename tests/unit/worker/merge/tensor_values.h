// SPDX-License-Identifier: Apache-2.0
// Tensors as floats, and how far two floats are apart: for tests that compare merges.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "worker/checkpoint/tensor.h"
#include "worker/merge/numeric.h"

namespace heterosis {

inline std::vector<float> ToFloats(const ConstTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(ElementCount(tensor.shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype == DType::kFloat32) {
      std::memcpy(&values[i], tensor.data + 4 * i, 4);
    } else {
      uint16_t half = 0;
      std::memcpy(&half, tensor.data + 2 * i, 2);
      values[i] = tensor.dtype == DType::kBFloat16 ? FromBFloat16(half) : FromFloat16(half);
    }
  }
  return values;
}

// Distance in units in the last place of float32; equal values (also 0 and -0) are 0 apart, NaN equals NaN.
inline int64_t UlpsApart(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  if (std::isnan(a) || std::isnan(b)) return INT64_MAX;
  const auto place = [](float x) {
    const int64_t magnitude = FloatBits(x) & 0x7FFFFFFFu;
    return std::signbit(x) ? -magnitude : magnitude;
  };
  return std::abs(place(a) - place(b));
}

}  // namespace heterosis
