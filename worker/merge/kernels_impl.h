// SPDX-License-Identifier: Apache-2.0
// The loops behind kernels.h. Included by one file per CPU level; everything here is without linkage, plain and
// branch-free, so that the compiler vectorizes it for that level.
#pragma once

#include <cstring>
#include <utility>

#include "worker/merge/kernels.h"
#include "worker/merge/numeric.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

// Philox4x32-10 of common/base/random.h for as many blocks at once as a register has 64-bit lanes. A lane's number is
// in its lower half; the upper one is never read, which is what the multiply instructions do, but not what a compiler
// makes of the plain product.
#if defined(__AVX512F__)
inline constexpr size_t kBlocks = 8;
typedef uint64_t Numbers __attribute__((vector_size(64)));
inline Numbers Product(Numbers a, Numbers b) {
  // Not _mm512_mul_epu32, of which GCC 12 says falsely that it reads something uninitialized; the instruction is the
  // same.
  return (Numbers)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
}
#elif defined(__AVX2__)
inline constexpr size_t kBlocks = 4;
typedef uint64_t Numbers __attribute__((vector_size(32)));
inline Numbers Product(Numbers a, Numbers b) {
  return (Numbers)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}
#else
inline constexpr size_t kBlocks = 2;
typedef uint64_t Numbers __attribute__((vector_size(16)));
inline Numbers Product(Numbers a, Numbers b) {
#if defined(__SSE2__)
  return (Numbers)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}
#endif

// a0 b0 a1 b1 ... : the lanes of both, of the lower halves or of the upper.
template <size_t kFirst, size_t... kLane>
inline Numbers Interleave(Numbers a, Numbers b, std::index_sequence<kLane...>) {
  return __builtin_shufflevector(a, b, (kFirst + kLane / 2 + kLane % 2 * kBlocks)...);
}

// Rounds of Philox on kVectors * kBlocks consecutive blocks; masks[4 * block + w] = word w < limit.
template <size_t kVectors>
inline void PhiloxMasks(uint64_t key, uint64_t first_block, uint32_t limit, uint32_t* __restrict masks) {
  typedef uint32_t Words __attribute__((vector_size(sizeof(Numbers))));
  Numbers c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    uint64_t blocks[kBlocks];
    for (size_t lane = 0; lane < kBlocks; ++lane) blocks[lane] = first_block + v * kBlocks + lane;
    __builtin_memcpy(&c0[v], blocks, sizeof(blocks));
    c1[v] = c0[v] >> 32;
    c2[v] = c3[v] = Numbers{};
  }
  uint32_t k0 = static_cast<uint32_t>(key);
  uint32_t k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (size_t v = 0; v < kVectors; ++v) {
      const Numbers low = Product(c0[v], Numbers{} + 0xD2511F53u);
      const Numbers high = Product(c2[v], Numbers{} + 0xCD9E8D57u);
      c0[v] = (high >> 32) ^ c1[v] ^ (Numbers{} + k0);
      c1[v] = high;
      c2[v] = (low >> 32) ^ c3[v] ^ (Numbers{} + k1);
      c3[v] = low;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (size_t v = 0; v < kVectors; ++v) {
    const Numbers front = (c0[v] & 0xFFFFFFFFu) | (c1[v] << 32), back = (c2[v] & 0xFFFFFFFFu) | (c3[v] << 32);
    const Numbers halves[2] = {Interleave<0>(front, back, std::make_index_sequence<kBlocks>()),
                               Interleave<kBlocks / 2>(front, back, std::make_index_sequence<kBlocks>())};
    for (size_t half = 0; half < 2; ++half) {
      const Words mask = (Words)((Words)halves[half] < Words{} + limit);
      __builtin_memcpy(masks + (2 * v + half) * 2 * kBlocks, &mask, sizeof(mask));
    }
  }
}

void CounterMask(uint64_t key, uint64_t begin, uint32_t limit, size_t n, uint32_t* __restrict mask) {
  constexpr size_t kWords = 64;
  for (uint64_t group = begin / kWords; group * kWords < begin + n; ++group) {
    const uint64_t start = group * kWords;
    if (start >= begin && start + kWords <= begin + n) {
      PhiloxMasks<kWords / 4 / kBlocks>(key, start / 4, limit, mask + (start - begin));
      continue;
    }
    uint32_t part[kWords];
    PhiloxMasks<kWords / 4 / kBlocks>(key, start / 4, limit, part);
    const uint64_t from = start < begin ? begin - start : 0;
    const uint64_t to = start + kWords > begin + n ? begin + n - start : kWords;
    std::memcpy(mask + (start + from - begin), part + from, (to - from) * sizeof(uint32_t));
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

// mix += q and divisor += weight where q has the elected sign (1 or -1); never where q is 0 or NaN. By masks on the
// bits: the compiler makes branches of the plain form, `if (q * sign > 0) ...`, which cost ten times as much.
void AddAgreeing(const float* __restrict q, const float* __restrict sign, float weight, size_t n, float* __restrict mix,
                 float* __restrict divisor) {
  const uint32_t weight_bits = FloatBits(weight);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t mask = q[i] * sign[i] > 0 ? 0xFFFFFFFFu : 0u;
    mix[i] += FloatFromBits(FloatBits(q[i]) & mask);
    divisor[i] += FloatFromBits(weight_bits & mask);
  }
}

void Elect(DType work, const float* __restrict q, const float* __restrict weights, size_t sources, size_t n,
           float* __restrict mix, float* __restrict divisor) {
  const size_t end = PadToLanes(n);
  float sign[kTileElements];
  Sum(q, sources, n, sign);
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0; i < end; ++i) sign[i] = Round<kWork>(sign[i]) >= 0 ? 1.0f : -1.0f;
  });
  for (size_t i = 0; i < end; ++i) mix[i] = divisor[i] = 0;
  for (size_t m = 0; m < sources; ++m) AddAgreeing(q + m * kTileElements, sign, weights[m], end, mix, divisor);
  WithDType(work, [&]<DType kWork>() {
    for (size_t i = 0; i < end; ++i) {
      mix[i] = Round<kWork>(mix[i]);
      const float total = Round<kWork>(divisor[i]);
      divisor[i] = total == 0 ? 1.0f : total;
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
