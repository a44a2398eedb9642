// SPDX-License-Identifier: Apache-2.0
// The matrix product of kernels.h: tiles of rows x columns that stay in registers, weights packed in panels of 32
// columns. A step of the depth is 4 bytes of x and 128 of w for both types: one float, or a pair of bf16.
#pragma once

#include "worker/model/cpu/kernels.h"
#include "worker/model/cpu/vector.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace heterosis::cpu {
namespace {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

typedef float Lanes __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Bits __attribute__((vector_size(kLanes * 4)));

inline constexpr int kTileColumns = 2 * kLanes;
inline constexpr int64_t kDepthSteps = 512;  // of a block: 64 KiB of a panel, which stays in the second-level cache

// Rows of a tile: as many accumulators as the registers hold.
template <bool kBf16>
inline constexpr int kTileRows = kLanes == 16 ? 12
                                 : kBf16      ? 4
                                              : 6;

template <bool kBf16>
inline void MultiplyAdd(Lanes& accumulator, uint32_t x, const Bits& w) {
  if constexpr (!kBf16) {
    float value;
    __builtin_memcpy(&value, &x, sizeof(value));
    accumulator += __builtin_bit_cast(Lanes, w) * value;
  } else {
#if defined(__AVX512BF16__)
    const __m512i pair = _mm512_set1_epi32(static_cast<int>(x));
    accumulator = _mm512_dpbf16_ps(accumulator, __builtin_bit_cast(__m512bh, pair), __builtin_bit_cast(__m512bh, w));
#else
    const uint32_t low = x << 16, high = x & 0xffff0000u;
    float x0, x1;
    __builtin_memcpy(&x0, &low, sizeof(x0));
    __builtin_memcpy(&x1, &high, sizeof(x1));
    const Bits w0 = w << 16, w1 = w & 0xffff0000u;
    accumulator += __builtin_bit_cast(Lanes, w0) * x0;
    accumulator += __builtin_bit_cast(Lanes, w1) * x1;
#endif
  }
}

struct Tile {
  const char* x;
  int64_t x_stride;  // bytes
  const char* w;
  int64_t steps;
  float* y;
  int64_t y_stride;
  const float* bias;  // of this block of columns, or nullptr
  bool accumulate;
};

template <bool kBf16, int kRows>
void RunTile(const Tile& tile) {
  Lanes sum[kRows][2] = {};
  const char* x = tile.x;
  const char* w = tile.w;
  const int64_t stride = tile.x_stride;
  for (int64_t step = 0; step < tile.steps; ++step, x += 4, w += kPanel * 4) {
    Bits w0, w1;
    __builtin_memcpy(&w0, w, sizeof(w0));
    __builtin_memcpy(&w1, w + sizeof(w0), sizeof(w1));
#pragma GCC unroll 12
    for (int row = 0; row < kRows; ++row) {
      uint32_t value;
      __builtin_memcpy(&value, x + row * stride, sizeof(value));
      MultiplyAdd<kBf16>(sum[row][0], value, w0);
      MultiplyAdd<kBf16>(sum[row][1], value, w1);
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      Lanes result = sum[row][half];
      float* y = tile.y + row * tile.y_stride + half * kLanes;
      Lanes other;
      if (tile.bias != nullptr) {
        __builtin_memcpy(&other, tile.bias + half * kLanes, sizeof(other));
        result += other;
      }
      if (tile.accumulate) {
        __builtin_memcpy(&other, y, sizeof(other));
        result += other;
      }
      __builtin_memcpy(y, &result, sizeof(result));
    }
  }
}

template <bool kBf16, int kRows>
void RunTileOf(int64_t rows, const Tile& tile) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return RunTile<kBf16, kRows>(tile);
    RunTileOf<kBf16, kRows - 1>(rows, tile);
  }
}

template <bool kBf16>
void RunGemm(const Gemm& g) {
  constexpr int64_t element_bytes = kBf16 ? 2 : 4;
  const int64_t steps = g.depth * element_bytes / 4;
  const char* x = static_cast<const char*>(g.x);
  const char* w = static_cast<const char*>(g.w);
  for (int64_t panel = g.panel_begin; panel < g.panel_end; ++panel) {
    float* y = g.y + (panel - g.panel_begin) * kPanel;
    for (int64_t step = 0; step < steps; step += kDepthSteps) {
      Tile tile;
      tile.x_stride = g.x_stride * element_bytes;
      tile.steps = steps - step < kDepthSteps ? steps - step : kDepthSteps;
      tile.y_stride = g.y_stride;
      tile.accumulate = g.accumulate || step > 0;
      for (int64_t row = 0; row < g.rows; row += kTileRows<kBf16>) {
        const int64_t rows = g.rows - row < kTileRows<kBf16> ? g.rows - row : kTileRows<kBf16>;
        for (int column = 0; column < kPanel; column += kTileColumns) {
          tile.x = x + row * tile.x_stride + step * 4;
          tile.w = w + ((panel * steps + step) * kPanel + column) * 4;
          tile.y = y + row * g.y_stride + column;
          tile.bias = g.bias != nullptr && step == 0 ? g.bias + panel * kPanel + column : nullptr;
          RunTileOf<kBf16, kTileRows<kBf16>>(rows, tile);
        }
      }
    }
  }
}

}  // namespace
}  // namespace heterosis::cpu
