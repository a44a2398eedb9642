// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the decoder on a CPU, compiled once per instruction set from kernels_impl.h. One table is chosen at
// run time. Sums run in an order that does not depend on how many rows are computed together: a token's logits are the
// same bits whatever else is in the batch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heterosis::cpu {

inline constexpr int kPanel = 32;           // columns of a packed panel of weights
inline constexpr int kCachePositions = 16;  // positions of a block of the KV cache

inline constexpr int64_t RoundUp(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// y[r][32*p + c] (+)= sum over k of x[r][k] * w[p][k][c], for the panels p in [panel_begin, panel_end).
// Packed weights: float [panel][depth][32], or bf16 [panel][depth/2][32][2].
struct Gemm {
  const void* x;  // float or bf16, `x_stride` elements from row to row, zero-padded to an even depth
  int64_t x_stride;
  const void* w;
  int64_t depth;  // even for bf16
  float* y;       // already moved to where column 32*panel_begin goes
  int64_t y_stride;
  int64_t rows;
  int64_t panel_begin;
  int64_t panel_end;
  const float* bias;  // or nullptr; padded to whole panels, indexed by column
  bool accumulate;    // add to y instead of overwriting it
};

// One token's attention over a row of the cache. Blocks of 16 positions lie `block_stride` bytes apart; in a block,
// each kv head has its keys [head_dim][16] and then its values [16][value_stride].
struct Attention {
  float* q;                // heads * head_dim, already rotated and scaled
  const std::byte* cache;  // of this row and layer
  int64_t block_stride;    // bytes
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t first;  // first position attended to
  int64_t last;   // last one, inclusive
  float* scores;  // scratch: heads / kv_heads rows of RoundUp(last + 1 - first, 16) + 16 floats
  void* out;      // heads * head_dim, in the type of the activations
};

// Rotates q and k of one token, scales q, and stores k and v in the cache.
struct RopeStore {
  float* qkv;         // heads * head_dim of q, kv_heads * head_dim of k, as many of v
  const float* rope;  // head_dim / 2 cosines, as many sines
  float q_scale;
  std::byte* cache;  // of this row, layer and block
  int64_t slot;      // position % 16
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
};

struct Best {
  float logit;
  int32_t token;
  bool finite;  // all logits seen so far were finite
};

struct Kernels {
  const char* name;
  void (*gemm)(const Gemm&);
  // out[r] = x[r] / rms(x[r]) * weight
  void (*rms_norm)(const float* x, int64_t x_stride, int64_t rows, int64_t hidden, const float* weight, float eps,
                   void* out, int64_t out_stride);
  void (*rope_store)(const RopeStore&);
  void (*attention)(const Attention&);
  // out[r][i] = silu(x[r][i]) * x[r][width + i]
  void (*swiglu)(const float* x, int64_t x_stride, int64_t rows, int64_t width, void* out, int64_t out_stride);
  // Updates `best` by the logits of the tokens [token, token + count); of equal ones the first counts.
  void (*argmax)(const float* logits, int64_t count, int32_t token, Best* best);
};

// value_stride of Attention, in elements.
inline int64_t ValueStride(int64_t head_dim) {
  return RoundUp(head_dim, 16);
}

// Tables for f32 and for bf16 weights, activations and cache (accumulation is always in f32), or nullptr where the
// compiler or this CPU lacks the instructions.
const Kernels* KernelsAvx512(bool bf16);
const Kernels* KernelsAvx2(bool bf16);
const Kernels* KernelsPortable(bool bf16);

// The fastest of these for this CPU.
const Kernels& BestKernels(bool bf16);

}  // namespace heterosis::cpu
