// SPDX-License-Identifier: Apache-2.0
// The random numbers: known answers, since stored experiments replay from them, and distributions.
#include "common/base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::ElementsAre;

// The known-answer vectors of the Random123 distribution (kat_vectors, philox4x32 10).
TEST(Philox, HasTheKnownAnswers) {
  EXPECT_THAT(Philox({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627E8D5u, 0xE169C58Du, 0xBC57AC4Cu, 0x9B00DBD8u));
  EXPECT_THAT(Philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
              ElementsAre(0x408F276Du, 0x41C83B0Eu, 0xA20BC7C6u, 0x6D5451FDu));
  EXPECT_THAT(Philox({0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u}, {0xA4093822u, 0x299F31D0u}),
              ElementsAre(0xD16CFE09u, 0x94FDCCEBu, 0x5001E420u, 0x24126EA1u));
}

TEST(HashText, IsFnv1a) {
  EXPECT_EQ(HashText(""), 0xCBF29CE484222325u);
  EXPECT_EQ(HashText("a"), 0xAF63DC4C8601EC8Cu);
  EXPECT_EQ(HashText("foobar"), 0x85944171F73967E8u);
  EXPECT_NE(HashText("\xFF"), HashText("\x7F"));
}

// Expected values: the formula in Python's integers. They must not change: seeds of stored experiments rest on them.
TEST(RandomKey, HasPinnedValues) {
  EXPECT_EQ(RandomKey({}), 0x0000000000000000u);
  EXPECT_EQ(RandomKey({0}), 0xA706DD2F4D197E6Fu);
  EXPECT_EQ(RandomKey({1, 2}), 0x2AC0E9440F013026u);
  EXPECT_EQ(RandomKey({42, 7, 0, ~uint64_t{0}}), 0xADCAF66083C7D395u);
}

TEST(RandomKey, OrderNumberAndValueOfPartsMatter) {
  const std::set<uint64_t> keys = {RandomKey({}),     RandomKey({0}),    RandomKey({0, 0}), RandomKey({1, 2}),
                                   RandomKey({2, 1}), RandomKey({1, 3}), RandomKey({3}),    RandomKey({1, 2, 0})};
  EXPECT_EQ(keys.size(), 8u);
}

TEST(RandomKey, NeighbouringPartsGiveUnrelatedKeys) {
  int bits = 0;
  for (uint64_t part = 0; part < 1000; ++part) {
    bits += std::popcount(RandomKey({7, part}) ^ RandomKey({7, part + 1}));
  }
  EXPECT_NEAR(bits / 1000.0, 32, 1);
}

TEST(RandomStream, IsTheSequenceOfPhiloxBlocksOfItsKey) {
  RandomStream stream(0x299F31D0A4093822u);
  for (uint32_t block = 0; block < 3; ++block) {
    for (const uint32_t expected : Philox({block, 0, 0, 0}, {0xA4093822u, 0x299F31D0u})) {
      ASSERT_EQ(stream.NextUint32(), expected);
    }
  }
}

TEST(RandomStream, UniformHas53BitsOfTwoWords) {
  RandomStream words(5);
  RandomStream stream(5);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t high = words.NextUint32();
    const uint64_t low = words.NextUint32();
    const double expected = std::ldexp(static_cast<double>((high << 32 | low) >> 11), -53);
    const double value = stream.NextUniform();
    ASSERT_EQ(value, expected);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
  }
}

TEST(RandomStream, BelowStaysBelowAndIsEven) {
  RandomStream stream(11);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(stream.NextBelow(1), 0u);
  constexpr int kDraws = 70'000;
  std::vector<int> counts(7);
  for (int i = 0; i < kDraws; ++i) ++counts.at(stream.NextBelow(7));
  double chi_square = 0;
  for (const int count : counts) chi_square += std::pow(count - kDraws / 7.0, 2) / (kDraws / 7.0);
  EXPECT_LT(chi_square, 22.5);                    // 6 degrees of freedom, 0.1%
  constexpr uint64_t kHuge = UINT64_MAX / 3 * 2;  // a plain remainder would give its lower half twice as often
  int lower = 0;
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t value = stream.NextBelow(kHuge);
    ASSERT_LT(value, kHuge);
    lower += value < kHuge / 2;
  }
  EXPECT_NEAR(lower, 5000, 200);
}

TEST(RandomStream, NormalIsBoxMullerOfTwoUniforms) {
  RandomStream uniforms(3);
  RandomStream stream(3);
  for (int i = 0; i < 100; ++i) {
    const double u = uniforms.NextUniform();
    const double v = uniforms.NextUniform();
    ASSERT_DOUBLE_EQ(stream.NextNormal(), std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v));
  }
}

TEST(RandomStream, NormalHasTheMomentsOfAStandardNormal) {
  constexpr int kDraws = 200'000;
  RandomStream stream(17);
  double sums[5] = {};
  int beyond = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double value = stream.NextNormal();
    for (int power = 1; power <= 4; ++power) sums[power] += std::pow(value, power) / kDraws;
    beyond += std::abs(value) > 1.959963984540054;
  }
  EXPECT_NEAR(sums[1], 0, 0.01);
  EXPECT_NEAR(sums[2], 1, 0.015);
  EXPECT_NEAR(sums[3], 0, 0.04);
  EXPECT_NEAR(sums[4], 3, 0.1);
  EXPECT_NEAR(beyond / static_cast<double>(kDraws), 0.05, 0.002);
}

TEST(RandomPermutation, IsAPermutationAndRepeatable) {
  for (const size_t n : {0u, 1u, 2u, 100u}) {
    RandomStream first(n);
    RandomStream second(n);
    std::vector<size_t> order = RandomPermutation(n, first);
    EXPECT_EQ(order, RandomPermutation(n, second));
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(order[i], i);
  }
}

TEST(RandomPermutation, EveryOrderIsEquallyLikely) {
  RandomStream stream(23);
  constexpr int kDraws = 24'000;
  std::map<std::vector<size_t>, int> counts;
  for (int i = 0; i < kDraws; ++i) ++counts[RandomPermutation(4, stream)];
  ASSERT_EQ(counts.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, count] : counts) chi_square += std::pow(count - 1000, 2) / 1000;
  EXPECT_LT(chi_square, 49.7);  // 23 degrees of freedom, 0.1%
}

}  // namespace
}  // namespace heterosis
