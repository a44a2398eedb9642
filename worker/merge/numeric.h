// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one element: conversions between float32, bfloat16 and float16, and rounding to a work dtype. For
// host code of any vector width and for CUDA: the same bytes everywhere.
#pragma once

#include <cstdint>

#include "common/genome/recipe.h"

// Always inlined and without linkage: the files that include this are compiled for different CPUs, and the linker must
// not take a function of one for the other.
#if defined(__CUDACC__)
#define HETEROSIS_NUMERIC static __host__ __device__ __forceinline__
#else
#define HETEROSIS_NUMERIC static inline __attribute__((always_inline))
#endif

namespace heterosis {

HETEROSIS_NUMERIC uint32_t FloatBits(float value) {
  return __builtin_bit_cast(uint32_t, value);
}
HETEROSIS_NUMERIC float FloatFromBits(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}

HETEROSIS_NUMERIC float FromBFloat16(uint16_t value) {
  return FloatFromBits(static_cast<uint32_t>(value) << 16);
}

// To nearest, ties to even; NaN becomes the quiet NaN 0x7FC0.
HETEROSIS_NUMERIC uint16_t ToBFloat16(float value) {
  const uint32_t bits = FloatBits(value);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded);
}

HETEROSIS_NUMERIC float FromFloat16(uint16_t value) {
  constexpr uint32_t kExponent = 0x7C00u << 13;
  const uint32_t shifted = (value & 0x7FFFu) << 13;
  const uint32_t exponent = shifted & kExponent;
  const uint32_t normal = shifted + ((127u - 15u) << 23);
  const uint32_t special = normal + ((128u - 16u) << 23);  // infinity and NaN
  const uint32_t small =
      FloatBits(FloatFromBits(normal + (1u << 23)) - FloatFromBits(113u << 23));  // zero and subnormal, exact
  const uint32_t magnitude = exponent == kExponent ? special : (exponent == 0 ? small : normal);
  return FloatFromBits(magnitude | (static_cast<uint32_t>(value & 0x8000u) << 16));
}

// To nearest, ties to even; too large becomes infinity, NaN a quiet NaN.
HETEROSIS_NUMERIC uint16_t ToFloat16(float value) {
  constexpr uint32_t kOverflow = (127u + 16u) << 23;
  constexpr uint32_t kSmallestNormal = 113u << 23;
  constexpr uint32_t kSubnormalMagic = ((127u - 15u) + (23u - 10u) + 1u) << 23;
  const uint32_t sign = FloatBits(value) & 0x80000000u;
  const uint32_t bits = FloatBits(value) ^ sign;
  const uint32_t special = bits > 0x7F800000u ? 0x7E00u : 0x7C00u;
  // Adding the magic number lets the FPU round a subnormal to its place.
  const uint32_t small = FloatBits(FloatFromBits(bits) + FloatFromBits(kSubnormalMagic)) - kSubnormalMagic;
  const uint32_t normal = (bits - ((127u - 15u) << 23) + 0xFFFu + ((bits >> 13) & 1u)) >> 13;
  const uint32_t magnitude = bits >= kOverflow ? special : (bits < kSmallestNormal ? small : normal);
  return static_cast<uint16_t>(magnitude | (sign >> 16));
}

// An element type in memory: its storage and its conversions.
template <DType kType>
struct Element;

template <>
struct Element<DType::kFloat32> {
  using Storage = float;
  HETEROSIS_NUMERIC float Load(Storage value) { return value; }
  HETEROSIS_NUMERIC Storage Store(float value) { return value; }
};

template <>
struct Element<DType::kBFloat16> {
  using Storage = uint16_t;
  HETEROSIS_NUMERIC float Load(Storage value) { return FromBFloat16(value); }
  HETEROSIS_NUMERIC Storage Store(float value) { return ToBFloat16(value); }
};

template <>
struct Element<DType::kFloat16> {
  using Storage = uint16_t;
  HETEROSIS_NUMERIC float Load(Storage value) { return FromFloat16(value); }
  HETEROSIS_NUMERIC Storage Store(float value) { return ToFloat16(value); }
};

// `value` rounded to the work dtype: what mergekit does after each operation by computing in that dtype.
template <DType kWork>
HETEROSIS_NUMERIC float Round(float value) {
  if constexpr (kWork == DType::kFloat32) {
    return value;
  } else {
    return Element<kWork>::Load(Element<kWork>::Store(value));
  }
}

// The same with the dtype known at run time, for scalars.
HETEROSIS_NUMERIC float RoundTo(DType work, float value) {
  return work == DType::kBFloat16  ? Round<DType::kBFloat16>(value)
         : work == DType::kFloat16 ? Round<DType::kFloat16>(value)
                                   : value;
}

}  // namespace heterosis
