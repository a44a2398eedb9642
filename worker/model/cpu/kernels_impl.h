// SPDX-License-Identifier: Apache-2.0
// The row-wise kernels and the table of kernels.h; included by one file per instruction set.
#pragma once

#include "worker/model/cpu/attention_impl.h"
#include "worker/model/cpu/gemm_impl.h"
#include "worker/model/cpu/kernels.h"
#include "worker/model/cpu/vector.h"

namespace heterosis::cpu {
namespace {

template <typename T>
void RunRmsNorm(const float* x, int64_t x_stride, int64_t rows, int64_t hidden, const float* weight, float eps,
                void* out, int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = x + row * x_stride;
    T* to = static_cast<T*>(out) + row * out_stride;
    Float16 squares = {};
    int64_t i = 0;
    for (; i + 16 <= hidden; i += 16) squares += Load(from + i) * Load(from + i);
    float sum = Sum(squares);
    for (; i < hidden; ++i) sum += from[i] * from[i];
    const float scale = 1.0f / __builtin_sqrtf(sum / static_cast<float>(hidden) + eps);
    for (i = 0; i + 16 <= hidden; i += 16) Store(to + i, Load(from + i) * scale * Load(weight + i));
    for (; i < hidden; ++i) to[i] = Narrow<T>(from[i] * scale * weight[i]);
  }
}

// Reads up to 15 floats beyond a row: the buffers have room for it.
template <typename T>
void RunSwiglu(const float* x, int64_t x_stride, int64_t rows, int64_t width, void* out, int64_t out_stride) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* gate = x + row * x_stride;
    const float* up = gate + width;
    T* to = static_cast<T*>(out) + row * out_stride;
    for (int64_t i = 0; i < width; i += 16) {
      const Float16 value = Load(gate + i);
      StorePart(to + i, value / (Exp(-value) + 1.0f) * Load(up + i), width - i);
    }
  }
}

inline void RunArgmax(const float* logits, int64_t count, int32_t token, Best* best) {
  Float16 largest = Float16{} + logits[0], zero = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const Float16 value = Load(logits + i);
    largest = Max(value, largest);
    zero += value * 0.0f;  // NaN for an Inf or a NaN
  }
  float top = Largest(largest), check = Sum(zero);
  for (; i < count; ++i) {
    top = logits[i] > top ? logits[i] : top;
    check += logits[i] * 0.0f;
  }
  best->finite = best->finite && check == 0.0f;
  if (!(top > best->logit)) return;
  best->logit = top;
  for (i = 0; logits[i] != top;) ++i;
  best->token = token + static_cast<int32_t>(i);
}

template <typename T>
Kernels MakeKernels(const char* name) {
  return Kernels{name,     RunGemm<sizeof(T) == 2>, RunRmsNorm<T>, RunRopeStore<T>, RunAttention<T>, RunSwiglu<T>,
                 RunArgmax};
}

}  // namespace
}  // namespace heterosis::cpu
