// SPDX-License-Identifier: Apache-2.0
// Vectors of 16 floats in the compiler's own notation, for kernels_impl.h alone: all is in an unnamed namespace,
// because each including file is compiled for another instruction set.
#pragma once

#include <cstdint>
#include <cstring>

namespace heterosis::cpu {
namespace {

typedef float Float16 __attribute__((vector_size(64)));
typedef int32_t Int16 __attribute__((vector_size(64)));
typedef uint32_t Uint16 __attribute__((vector_size(64)));
typedef uint16_t Half16 __attribute__((vector_size(32)));

inline Float16 Load(const float* from) {
  Float16 value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}

// bf16 is the upper half of an f32.
inline Float16 Load(const uint16_t* from) {
  Half16 half;
  __builtin_memcpy(&half, from, sizeof(half));
  const Uint16 bits = __builtin_convertvector(half, Uint16) << 16;
  return __builtin_bit_cast(Float16, bits);
}

inline void Store(float* to, const Float16& value) {
  __builtin_memcpy(to, &value, sizeof(value));
}

// To the nearest bf16, ties to even; a NaN stays one.
inline void Store(uint16_t* to, const Float16& value) {
  const Uint16 bits = __builtin_bit_cast(Uint16, value);
  const Uint16 rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Int16 is_nan = value != value;
  const Half16 half = __builtin_convertvector(is_nan ? Uint16{} + 0x7fc0 : rounded, Half16);
  __builtin_memcpy(to, &half, sizeof(half));
}

template <typename T>
inline void StorePart(T* to, const Float16& value, int64_t count) {
  if (count >= 16) return Store(to, value);
  T whole[16];
  Store(whole, value);
  for (int64_t i = 0; i < count; ++i) to[i] = whole[i];
}

template <typename T>
inline T Narrow(float value) {
  T whole[16];
  Store(whole, Float16{} + value);
  return whole[0];
}

inline Float16 Max(const Float16& a, const Float16& b) {
  return a > b ? a : b;
}

inline float Sum(const Float16& value) {
  float sum = 0;
  for (int i = 0; i < 16; ++i) sum += value[i];
  return sum;
}

inline float Largest(const Float16& value) {
  float largest = value[0];
  for (int i = 1; i < 16; ++i) largest = value[i] > largest ? value[i] : largest;
  return largest;
}

// e^x within 2 ulp: 2^n * p(r) with |r| <= ln(2)/2 (Cody-Waite reduction, a Taylor polynomial of degree 7). Below -87
// it gives 1e-38, above 88 the largest such number; a NaN stays one.
inline Float16 Exp(const Float16& x) {
  const Float16 low = Float16{} - 87.0f, high = Float16{} + 88.0f;
  const Float16 clamped = x < low ? low : x > high ? high : x;
  const Float16 magic = Float16{} + 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const Float16 shifted = clamped * 1.44269504f + magic;
  const Float16 n = shifted - magic;
  const Float16 r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  Float16 p = Float16{} + 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const Int16 exponent = __builtin_convertvector(n, Int16) << 23;
  const Int16 bits = __builtin_bit_cast(Int16, p) + exponent;
  const Float16 result = __builtin_bit_cast(Float16, bits);
  return x == x ? result : x;
}

}  // namespace
}  // namespace heterosis::cpu
