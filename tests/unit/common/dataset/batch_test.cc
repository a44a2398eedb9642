// SPDX-License-Identifier: Apache-2.0
// Which problems a generation is scored on.
#include "common/dataset/batch.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int> Batch(int generation, int split_size, int per_generation, uint64_t seed = 1, int phase = 0) {
  return BatchFor({seed, phase, generation, split_size, per_generation});
}

TEST(Batch, AllProblemsWhereNoneOrMoreThanThereAreAreWanted) {
  for (const int per_generation : {0, 5, 6, 1000}) {
    EXPECT_THAT(Batch(3, 5, per_generation), ElementsAre(0, 1, 2, 3, 4)) << per_generation;
  }
  EXPECT_THAT(Batch(0, 0, 0), IsEmpty());
  EXPECT_THAT(Batch(0, 0, 7), IsEmpty());
}

// Split size and problems per generation.
class BatchShapes : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(BatchShapes, BatchesRiseHoldNothingTwiceAndUseTheSplitEvenly) {
  const auto [split_size, per_generation] = GetParam();
  std::vector<int> uses(static_cast<size_t>(split_size));
  for (int generation = 0; generation < 60; ++generation) {
    const std::vector<int> batch = Batch(generation, split_size, per_generation);
    ASSERT_EQ(batch.size(), static_cast<size_t>(per_generation));
    ASSERT_TRUE(std::is_sorted(batch.begin(), batch.end()));
    ASSERT_EQ(std::adjacent_find(batch.begin(), batch.end()), batch.end()) << "generation " << generation;
    ASSERT_GE(batch.front(), 0);
    ASSERT_LT(batch.back(), split_size);
    for (const int sample : batch) ++uses[static_cast<size_t>(sample)];
    // Without replacement: no problem is used again before every other was.
    const auto [least, most] = std::minmax_element(uses.begin(), uses.end());
    ASSERT_LE(*most - *least, (generation + 1) * per_generation % split_size == 0 ? 0 : 2)
        << "generation " << generation;
  }
  const auto [least, most] = std::minmax_element(uses.begin(), uses.end());
  EXPECT_LE(*most - *least, 1);
  EXPECT_EQ(std::accumulate(uses.begin(), uses.end(), 0), 60 * per_generation);
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchShapes,
                         testing::Values(std::tuple(10, 1), std::tuple(10, 3), std::tuple(10, 5), std::tuple(10, 7),
                                         std::tuple(10, 9), std::tuple(2, 1), std::tuple(11, 10), std::tuple(869, 200),
                                         std::tuple(1069, 128)));

TEST(Batch, IsAFunctionOfItsOptions) {
  for (const int generation : {0, 1, 17}) EXPECT_EQ(Batch(generation, 100, 30), Batch(generation, 100, 30));
  const std::set<std::vector<int>> batches = {Batch(0, 100, 30, 1, 0), Batch(1, 100, 30, 1, 0), Batch(0, 100, 30, 2, 0),
                                              Batch(0, 100, 30, 1, 1)};
  EXPECT_EQ(batches.size(), 4u);
}

TEST(Batch, EveryProblemIsAsLikelyToComeFirst) {
  std::vector<int> counts(5);
  for (uint64_t seed = 0; seed < 5000; ++seed) ++counts[static_cast<size_t>(Batch(0, 5, 1, seed).front())];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 120);
}

}  // namespace
}  // namespace heterosis
