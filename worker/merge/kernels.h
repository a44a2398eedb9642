// SPDX-License-Identifier: Apache-2.0
// The loops of a merge over one tile of elements, compiled for several CPU levels and chosen at run time. All variants
// give the same bytes: no operation is contracted or reordered, and sums have a fixed number of lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/genome/recipe.h"

namespace heterosis {

// Elements of a tile. The float arrays below are scratch of this length: loops over scratch run on to the next multiple
// of kLanes, those over tensors stop at n.
inline constexpr size_t kTileElements = 1024;
inline constexpr size_t kLanes = 32;
// Bins of a histogram over the upper, or over the lower, 16 bits of a magnitude (a float without its sign).
inline constexpr size_t kUpperBins = size_t{1} << 15;
inline constexpr size_t kLowerBins = size_t{1} << 16;
// A threshold above every number.
inline constexpr int32_t kKeepNothing = 0x7FFFFFFF;

// Elements of a tensor in memory, aligned to their size.
struct TileInput {
  const std::byte* data = nullptr;
  DType dtype = DType::kFloat32;
};

// Table of functions of one variant. `work` rounds after each operation; x, q, mix, base ... are scratch.
struct Kernels {
  const char* name;

  // out = x
  void (*load)(DType work, TileInput x, size_t n, float* out);
  // out = x - base
  void (*delta)(DType work, TileInput x, const float* base, size_t n, float* out);
  // mix += (x - base) * weight, the whole of task arithmetic; the sum is not rounded
  void (*add_delta)(DType work, TileInput x, const float* base, float weight, size_t n, float* mix);
  // acc = fma(x, weight, acc) in float32
  void (*add_scaled)(DType work, TileInput x, float weight, size_t n, float* acc);

  // d = 0 where |d|, as bits, is below the threshold (TIES)
  void (*keep_above)(int32_t threshold, size_t n, float* d);
  // d = 0 where the mask is 0; a mask's words are 0 or all ones (DARE)
  void (*keep_masked)(const uint32_t* mask, size_t n, float* d);
  // mask[i] = word `begin + i` of Philox's stream of `key` < limit; word w is number w % 4 of block w / 4
  void (*counter_mask)(uint64_t key, uint64_t begin, uint32_t limit, size_t n, uint32_t* mask);

  // x = x * factor
  void (*scale)(DType work, float factor, size_t n, float* x);
  // mix = sum of the sources' q (source m's begins at q + m * kTileElements), not rounded
  void (*sum)(const float* q, size_t sources, size_t n, float* mix);
  // TIES' election: mix = sum of the q whose sign is that of the sum of all; divisor = sum of their weights, 1 where 0
  void (*elect)(DType work, const float* q, const float* weights, size_t sources, size_t n, float* mix, float* divisor);
  // x = x / divisor
  void (*divide)(DType work, float divisor, size_t n, float* x);
  void (*divide_each)(DType work, const float* divisors, size_t n, float* x);
  // x rounded
  void (*round)(DType work, size_t n, float* x);
  // x = a * x + b * y in float32
  void (*blend)(float a, float b, const float* y, size_t n, float* x);

  // out = x, rounded to work and then to the tensor's dtype
  void (*store)(DType work, const float* x, size_t n, DType dtype, std::byte* out);
  // out = base + mix
  void (*store_sum)(DType work, const float* base, const float* mix, size_t n, DType dtype, std::byte* out);

  // counts[|d| >> 16] += 1; two tables of kUpperBins, whose sum counts
  void (*count_upper)(const float* d, size_t n, uint32_t* counts);
  // counts[|d| & 0xFFFF] += 1 where |d| >> 16 == bin
  void (*count_lower)(const float* d, int32_t bin, size_t n, uint32_t* counts);
  // Sums in double: of |d|; of x * x; of (x / x_norm) * (y / y_norm), each factor and product in float32.
  double (*sum_magnitudes)(const float* d, size_t n);
  double (*sum_squares)(const float* x, size_t n);
  double (*sum_cosine)(const float* x, float x_norm, const float* y, float y_norm, size_t n);
};

// The fastest variant that this CPU runs.
const Kernels& BestKernels();

// All variants that this CPU runs, for tests.
std::span<const Kernels* const> RunnableKernels();

}  // namespace heterosis
