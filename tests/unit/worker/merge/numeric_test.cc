// SPDX-License-Identifier: Apache-2.0
// Conversions of bfloat16 and float16: every 16-bit pattern, and rounding to nearest even against the compiler's own.
#include "worker/merge/numeric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/random.h"

namespace heterosis {
namespace {

// Patterns of all magnitudes: random ones, and those round the places where rounding turns.
std::vector<float> ManyFloats() {
  std::vector<float> values{0.0f,
                            -0.0f,
                            65504.0f,
                            65519.996f,
                            65520.0f,
                            std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::denorm_min(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  RandomStream random(7);
  for (int i = 0; i < 200'000; ++i) values.push_back(FloatFromBits(random.NextUint32()));
  for (uint32_t high = 0; high < 65536; high += 7) {
    for (const uint32_t low : {0u, 1u, 0x0FFFu, 0x1000u, 0x1001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      values.push_back(FloatFromBits(high << 16 | low));
    }
  }
  return values;
}

TEST(Numeric, EveryBFloat16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = FromBFloat16(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_EQ(ToBFloat16(value), 0x7FC0);
    } else {
      ASSERT_EQ(ToBFloat16(value), bits);
    }
  }
}

TEST(Numeric, EveryFloat16SurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = FromFloat16(static_cast<uint16_t>(bits));
    const float reference = static_cast<float>(__builtin_bit_cast(_Float16, static_cast<uint16_t>(bits)));
    if (std::isnan(reference)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(FromFloat16(ToFloat16(value))));
    } else {
      ASSERT_EQ(FloatBits(value), FloatBits(reference)) << bits;
      ASSERT_EQ(ToFloat16(value), bits);
    }
  }
}

TEST(Numeric, Float16RoundsAsTheCompilerDoes) {
  for (const float value : ManyFloats()) {
    if (std::isnan(value)) continue;
    ASSERT_EQ(ToFloat16(value), __builtin_bit_cast(uint16_t, static_cast<_Float16>(value))) << value;
  }
}

TEST(Numeric, BFloat16RoundsToTheNearestAndTiesToEven) {
  for (const float value : ManyFloats()) {
    if (!std::isfinite(value)) continue;
    const uint16_t rounded = ToBFloat16(value);
    // The two neighbours that a bfloat16 may round to: the truncation, and one further from 0.
    const auto down = static_cast<uint16_t>(FloatBits(value) >> 16);
    const auto up = static_cast<uint16_t>(down + 1);
    const double below = std::fabs(static_cast<double>(value) - FromBFloat16(down));
    // Beyond the largest finite number the next one would be 2^128.
    const double above = std::isinf(FromBFloat16(up)) ? std::fabs(std::fabs(static_cast<double>(value)) - 0x1p128)
                                                      : std::fabs(static_cast<double>(value) - FromBFloat16(up));
    const uint16_t expected = below < above ? down : above < below ? up : down % 2 == 0 ? down : up;
    ASSERT_EQ(rounded, expected) << value;
  }
}

}  // namespace
}  // namespace heterosis
