// SPDX-License-Identifier: Apache-2.0
// The loops behind kernels.h. Included by one file per CPU level; everything here is without linkage, plain and
// branch-free, so that the compiler vectorizes it for that level.
#pragma once

#include <cstring>

#include "worker/merge/kernels.h"
#include "worker/merge/numeric.h"

namespace heterosis {
namespace {

inline size_t PadToLanes(size_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

template <DType kType>
const typename Element<kType>::Storage* Typed(const std::byte* data) {
  return reinterpret_cast<const typename Element<kType>::Storage*>(data);
}

template <DType kType>
typename Element<kType>::Storage* Typed(std::byte* data) {
  return reinterpret_cast<typename Element<kType>::Storage*>(data);
}

// Calls body.template operator()<dtype>() with the dtype as a constant.
template <typename Body>
inline __attribute__((always_inline)) void WithDType(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kFloat32:
      return body.template operator()<DType::kFloat32>();
    case DType::kBFloat16:
      return body.template operator()<DType::kBFloat16>();
    case DType::kFloat16:
      return body.template operator()<DType::kFloat16>();
  }
}

// Calls body.template operator()<work, dtype>(i).
template <typename Body>
inline __attribute__((always_inline)) void ForEach(DType work, DType dtype, size_t n, const Body& body) {
  WithDType(work, [&]<DType kWork>() {
    WithDType(dtype, [&]<DType kType>() {
      for (size_t i = 0; i < n; ++i) body.template operator()<kWork, kType>(i);
    });
  });
}

// x[i] in the work dtype.
template <DType kWork, DType kType>
inline __attribute__((always_inline)) float At(TileInput x, size_t i) {
  const float value = Element<kType>::Load(Typed<kType>(x.data)[i]);
  if constexpr (kWork == kType) return value;
  return Round<kWork>(value);
}

void Load(DType work, TileInput x, size_t n, float* __restrict out) {
  ForEach(work, x.dtype, n, [&]<DType kWork, DType kType>(size_t i) { out[i] = At<kWork, kType>(x, i); });
}

void Delta(DType work, TileInput x, const float* __restrict base, size_t n, float* __restrict out) {
  ForEach(work, x.dtype, n,
          [&]<DType kWork, DType kType>(size_t i) { out[i] = Round<kWork>(At<kWork, kType>(x, i) - base[i]); });
}

void AddDelta(DType work, TileInput x, const float* __restrict base, float weight, size_t n, float* __restrict mix) {
  ForEach(work, x.dtype, n, [&]<DType kWork, DType kType>(size_t i) {
    mix[i] += Round<kWork>(Round<kWork>(At<kWork, kType>(x, i) - base[i]) * weight);
  });
}

void AddScaled(DType work, TileInput x, float weight, size_t n, float* __restrict acc) {
  ForEach(work, x.dtype, n,
          [&]<DType kWork, DType kType>(size_t i) { acc[i] = __builtin_fmaf(At<kWork, kType>(x, i), weight, acc[i]); });
}

void KeepAbove(int32_t threshold, size_t n, float* d) {
  for (size_t i = 0, end = PadToLanes(n); i < end; ++i) {
    const uint32_t bits = FloatBits(d[i]);
    d[i] = FloatFromBits(static_cast<int32_t>(bits & 0x7FFFFFFFu) >= threshold ? bits : 0);
  }
}

void KeepMasked(const uint32_t* __restrict mask, size_t n, float* __restrict d) {
  for (size_t i = 0, end = PadToLanes(n); i < end; ++i) d[i] = FloatFromBits(FloatBits(d[i]) & mask[i]);
}

// Philox4x32-10 of common/base/random.h, kLanes blocks at a time; words stay in 64-bit lanes so that the products
// need no shuffles.
void PhiloxBlocks(uint64_t key, uint64_t first_block, uint32_t* __restrict words) {
  constexpr size_t kBlocks = 16;
  uint64_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
  for (size_t j = 0; j < kBlocks; ++j) {
    c0[j] = (first_block + j) & 0xFFFFFFFFu;
    c1[j] = (first_block + j) >> 32;
    c2[j] = 0;
    c3[j] = 0;
  }
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (size_t j = 0; j < kBlocks; ++j) {
      const uint64_t low = uint64_t{0xD2511F53} * static_cast<uint32_t>(c0[j]);
      const uint64_t high = uint64_t{0xCD9E8D57} * static_cast<uint32_t>(c2[j]);
      c0[j] = (high >> 32) ^ c1[j] ^ k0;
      c1[j] = high & 0xFFFFFFFFu;
      c2[j] = (low >> 32) ^ c3[j] ^ k1;
      c3[j] = low & 0xFFFFFFFFu;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (size_t j = 0; j < kBlocks; ++j) {
    words[4 * j] = static_cast<uint32_t>(c0[j]);
    words[4 * j + 1] = static_cast<uint32_t>(c1[j]);
    words[4 * j + 2] = static_cast<uint32_t>(c2[j]);
    words[4 * j + 3] = static_cast<uint32_t>(c3[j]);
  }
}

void CounterMask(uint64_t key, uint64_t begin, uint32_t limit, size_t n, uint32_t* __restrict mask) {
  constexpr size_t kWords = 64;
  uint32_t words[kWords];
  const uint64_t first = begin / kWords;
  const uint64_t last = (begin + n + kWords - 1) / kWords;
  for (uint64_t group = first; group < last; ++group) {
    PhiloxBlocks(key, group * (kWords / 4), words);
    for (size_t j = 0; j < kWords; ++j) words[j] = words[j] < limit ? 0xFFFFFFFFu : 0;
    const uint64_t from = group * kWords < begin ? begin - group * kWords : 0;
    const uint64_t to = (group + 1) * kWords > begin + n ? begin + n - group * kWords : kWords;
    std::memcpy(mask + (group * kWords + from - begin), words + from, (to - from) * sizeof(uint32_t));
  }
}

void Scale(DType work, float factor, size_t n, float* x) {
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0, end = PadToLanes(n); i < end; ++i) x[i] = Round<kWork>(x[i] * factor);
  });
}

void Sum(const float* __restrict q, size_t sources, size_t n, float* __restrict mix) {
  for (size_t i = 0; i < PadToLanes(n); i += kLanes) {
    float sum[kLanes] = {};
    for (size_t m = 0; m < sources; ++m) {
      for (size_t j = 0; j < kLanes; ++j) sum[j] += q[m * kTileElements + i + j];
    }
    for (size_t j = 0; j < kLanes; ++j) mix[i + j] = sum[j];
  }
}

void Elect(DType work, const float* __restrict q, const float* __restrict weights, size_t sources, size_t n,
           float* __restrict mix, float* __restrict divisor) {
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0; i < PadToLanes(n); i += kLanes) {
      float sum[kLanes] = {};
      for (size_t m = 0; m < sources; ++m) {
        for (size_t j = 0; j < kLanes; ++j) sum[j] += q[m * kTileElements + i + j];
      }
      for (size_t j = 0; j < kLanes; ++j) sum[j] = Round<kWork>(sum[j]) >= 0 ? 1.0f : -1.0f;
      float agreeing[kLanes] = {};
      float weight[kLanes] = {};
      for (size_t m = 0; m < sources; ++m) {
        for (size_t j = 0; j < kLanes; ++j) {
          const float value = q[m * kTileElements + i + j];
          const bool agrees = value * sum[j] > 0;  // never for 0
          agreeing[j] += agrees ? value : 0.0f;
          weight[j] += agrees ? weights[m] : 0.0f;
        }
      }
      for (size_t j = 0; j < kLanes; ++j) {
        mix[i + j] = Round<kWork>(agreeing[j]);
        const float total = Round<kWork>(weight[j]);
        divisor[i + j] = total == 0 ? 1.0f : total;
      }
    }
  });
}

void Divide(DType work, float divisor, size_t n, float* x) {
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0, end = PadToLanes(n); i < end; ++i) x[i] = Round<kWork>(x[i] / divisor);
  });
}

void DivideEach(DType work, const float* __restrict divisors, size_t n, float* __restrict x) {
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0, end = PadToLanes(n); i < end; ++i) x[i] = Round<kWork>(x[i] / divisors[i]);
  });
}

void RoundAll(DType work, size_t n, float* x) {
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0, end = PadToLanes(n); i < end; ++i) x[i] = Round<kWork>(x[i]);
  });
}

void Blend(float a, float b, const float* __restrict y, size_t n, float* __restrict x) {
  for (size_t i = 0, end = PadToLanes(n); i < end; ++i) x[i] = a * x[i] + b * y[i];
}

// A value of the work dtype, rounded once more where the tensor has another.
template <DType kWork, DType kType>
inline __attribute__((always_inline)) typename Element<kType>::Storage Out(float value) {
  if constexpr (kWork == kType) return Element<kType>::Store(value);
  return Element<kType>::Store(Round<kWork>(value));
}

void Store(DType work, const float* __restrict x, size_t n, DType dtype, std::byte* __restrict out) {
  ForEach(work, dtype, n, [&]<DType kWork, DType kType>(size_t i) { Typed<kType>(out)[i] = Out<kWork, kType>(x[i]); });
}

void StoreSum(DType work, const float* __restrict base, const float* __restrict mix, size_t n, DType dtype,
              std::byte* __restrict out) {
  ForEach(work, dtype, n,
          [&]<DType kWork, DType kType>(size_t i) { Typed<kType>(out)[i] = Out<kWork, kType>(base[i] + mix[i]); });
}

void CountUpper(const float* d, size_t n, uint32_t* counts) {
  for (size_t i = 0; i + 1 < n; i += 2) {  // two tables: equal neighbours do not wait for each other
    ++counts[(FloatBits(d[i]) & 0x7FFFFFFFu) >> 16];
    ++counts[kUpperBins + ((FloatBits(d[i + 1]) & 0x7FFFFFFFu) >> 16)];
  }
  if (n % 2 != 0) ++counts[(FloatBits(d[n - 1]) & 0x7FFFFFFFu) >> 16];
}

void CountLower(const float* d, int32_t bin, size_t n, uint32_t* counts) {
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t count = n - i < kLanes ? n - i : kLanes;
    uint32_t found = 0;  // few groups have any: most are left after this loop
    for (size_t j = 0; j < kLanes; ++j) {
      found |= static_cast<int32_t>((FloatBits(d[i + j]) & 0x7FFFFFFFu) >> 16) == bin ? 1u : 0u;
    }
    if (found == 0) continue;
    for (size_t j = 0; j < count; ++j) {
      const uint32_t bits = FloatBits(d[i + j]) & 0x7FFFFFFFu;
      if (static_cast<int32_t>(bits >> 16) == bin) ++counts[bits & 0xFFFFu];
    }
  }
}

// Sums term(i) of i < n in 16 lanes, then the lanes in order: one result whatever the vector width.
template <typename Term>
inline __attribute__((always_inline)) double SumLanes(size_t n, const Term& term) {
  constexpr size_t kSumLanes = 16;
  double lanes[kSumLanes] = {};
  size_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
    for (size_t j = 0; j < kSumLanes; ++j) lanes[j] += term(i + j);
  }
  double rest = 0;
  for (; i < n; ++i) rest += term(i);
  for (size_t j = 0; j < kSumLanes; ++j) rest += lanes[j];
  return rest;
}

double SumMagnitudes(const float* d, size_t n) {
  return SumLanes(n, [&](size_t i) { return static_cast<double>(FloatFromBits(FloatBits(d[i]) & 0x7FFFFFFFu)); });
}

double SumSquares(const float* x, size_t n) {
  return SumLanes(n, [&](size_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

double SumCosine(const float* x, float x_norm, const float* y, float y_norm, size_t n) {
  return SumLanes(n, [&](size_t i) { return static_cast<double>((x[i] / x_norm) * (y[i] / y_norm)); });
}

constexpr Kernels MakeKernels(const char* name) {
  return {name,     Load,       Delta,      AddDelta,      AddScaled,  KeepAbove, KeepMasked, CounterMask,
          Scale,    Sum,        Elect,      Divide,        DivideEach, RoundAll,  Blend,      Store,
          StoreSum, CountUpper, CountLower, SumMagnitudes, SumSquares, SumCosine};
}

}  // namespace
}  // namespace heterosis
