// SPDX-License-Identifier: Apache-2.0
// Rotation and attention of kernels.h over the blocks of the KV cache. T is float or uint16_t (bf16). The query heads
// of one kv head are done together, so that a key or value is read once for up to four of them.
#pragma once

#include "worker/model/cpu/kernels.h"
#include "worker/model/cpu/vector.h"

namespace heterosis::cpu {
namespace {

template <typename T>
void RunRopeStore(const RopeStore& a) {
  const int64_t half = a.head_dim / 2;
  const float* cosine = a.rope;
  const float* sine = a.rope + half;
  for (int64_t head = 0; head < a.heads + a.kv_heads; ++head) {
    float* x = a.qkv + head * a.head_dim;
    const float scale = head < a.heads ? a.q_scale : 1.0f;
    for (int64_t i = 0; i < half; ++i) {
      const float first = x[i], second = x[half + i];
      x[i] = (first * cosine[i] - second * sine[i]) * scale;
      x[half + i] = (second * cosine[i] + first * sine[i]) * scale;
    }
  }
  const float* keys = a.qkv + a.heads * a.head_dim;
  const float* values = keys + a.kv_heads * a.head_dim;
  const int64_t value_stride = ValueStride(a.head_dim);
  T* block = reinterpret_cast<T*>(a.cache);
  for (int64_t head = 0; head < a.kv_heads; ++head) {
    for (int64_t i = 0; i < a.head_dim; ++i) {
      block[i * kCachePositions + a.slot] = Narrow<T>(keys[head * a.head_dim + i]);
    }
    block += a.head_dim * kCachePositions;
    T* row = block + a.slot * value_stride;
    for (int64_t i = 0; i < a.head_dim; ++i) row[i] = Narrow<T>(values[head * a.head_dim + i]);
    block += kCachePositions * value_stride;
  }
}

// What Score and Mix walk over: the blocks of one kv head, with position 0 of `scores` at the first block's start.
struct HeadView {
  const std::byte* blocks;
  int64_t block_stride;
  int64_t head_dim;
  int64_t begin;  // valid positions, relative to the first block's start
  int64_t end;
  int64_t block_count;
};

// scores[g][t] = q[g] . k[t] for kGroup heads.
template <typename T, int kGroup>
void Score(const HeadView& view, const float* q, float* scores, int64_t scores_stride) {
  for (int64_t block = 0; block < view.block_count; ++block) {
    const T* keys = reinterpret_cast<const T*>(view.blocks + block * view.block_stride);
    Float16 even[kGroup] = {}, odd[kGroup] = {};
    for (int64_t i = 0; i < view.head_dim; i += 2) {
      const Float16 key0 = Load(keys + i * kCachePositions);
      const Float16 key1 = Load(keys + (i + 1) * kCachePositions);
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) {
        even[g] += key0 * q[g * view.head_dim + i];
        odd[g] += key1 * q[g * view.head_dim + i + 1];
      }
    }
#pragma GCC unroll 4
    for (int g = 0; g < kGroup; ++g) Store(scores + g * scores_stride + block * kCachePositions, even[g] + odd[g]);
  }
}

// Softmax in place without the division; gives 1 / sum.
inline float Softmax(const HeadView& view, float* scores) {
  const int64_t count = view.block_count * kCachePositions;
  for (int64_t t = 0; t < view.begin; ++t) scores[t] = -3e38f;
  for (int64_t t = view.end; t < count; ++t) scores[t] = -3e38f;
  Float16 largest = Load(scores);
  for (int64_t t = 16; t < count; t += 16) largest = Max(largest, Load(scores + t));
  const Float16 top = Float16{} + Largest(largest);
  Float16 sum = {};
  for (int64_t t = 0; t < count; t += 16) {
    const Float16 value = Load(scores + t);
    const Float16 power = value > Float16{} - 2e38f || value != value ? Exp(value - top) : Float16{};
    Store(scores + t, power);
    sum += power;
  }
  return 1.0f / Sum(sum);
}

// out[g] = sum over t of scores[g][t] * v[t], times inverse[g].
template <typename T, int kGroup>
void Mix(const HeadView& view, const float* scores, int64_t scores_stride, const float* inverse, T* out) {
  const int64_t value_stride = ValueStride(view.head_dim);
  for (int64_t column = 0; column < view.head_dim; column += 16) {
    Float16 sum[kGroup] = {};
    for (int64_t t = view.begin; t < view.end; ++t) {
      const std::byte* block = view.blocks + t / kCachePositions * view.block_stride;
      const T* values = reinterpret_cast<const T*>(block) + view.head_dim * kCachePositions;
      const Float16 value = Load(values + t % kCachePositions * value_stride + column);
#pragma GCC unroll 4
      for (int g = 0; g < kGroup; ++g) sum[g] += value * scores[g * scores_stride + t];
    }
    for (int g = 0; g < kGroup; ++g) {
      StorePart(out + g * view.head_dim + column, sum[g] * inverse[g], view.head_dim - column);
    }
  }
}

template <typename T, int kGroup>
void AttendGroup(const HeadView& view, const float* q, float* scores, T* out) {
  const int64_t stride = view.block_count * kCachePositions;
  Score<T, kGroup>(view, q, scores, stride);
  float inverse[kGroup];
  for (int g = 0; g < kGroup; ++g) inverse[g] = Softmax(view, scores + g * stride);
  Mix<T, kGroup>(view, scores, stride, inverse, out);
}

template <typename T>
void RunAttention(const Attention& a) {
  const int64_t group = a.heads / a.kv_heads;
  const int64_t head_elements = kCachePositions * (a.head_dim + ValueStride(a.head_dim));
  const int64_t first_block = a.first / kCachePositions;
  HeadView view;
  view.block_stride = a.block_stride;
  view.head_dim = a.head_dim;
  view.begin = a.first - first_block * kCachePositions;
  view.end = a.last + 1 - first_block * kCachePositions;
  view.block_count = RoundUp(view.end, kCachePositions) / kCachePositions;
  for (int64_t head = 0; head < a.kv_heads; ++head) {
    view.blocks = a.cache + first_block * a.block_stride + head * head_elements * static_cast<int64_t>(sizeof(T));
    const float* q = a.q + head * group * a.head_dim;
    T* out = static_cast<T*>(a.out) + head * group * a.head_dim;
    int64_t g = 0;
    for (; g + 4 <= group; g += 4) AttendGroup<T, 4>(view, q + g * a.head_dim, a.scores, out + g * a.head_dim);
    for (; g + 2 <= group; g += 2) AttendGroup<T, 2>(view, q + g * a.head_dim, a.scores, out + g * a.head_dim);
    for (; g < group; ++g) AttendGroup<T, 1>(view, q + g * a.head_dim, a.scores, out + g * a.head_dim);
  }
}

}  // namespace
}  // namespace heterosis::cpu
