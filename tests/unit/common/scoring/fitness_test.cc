// SPDX-License-Identifier: Apache-2.0
// Accuracy, its interval, the ranking of scores and the comparison of two models.
#include "common/scoring/fitness.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// One letter a sample: '+' is correct.
std::vector<SampleResult> Results(std::string_view verdicts) {
  std::vector<SampleResult> results;
  for (const char verdict : verdicts) {
    SampleResult result;
    result.sample = static_cast<int>(results.size());
    result.correct = verdict == '+';
    results.push_back(result);
  }
  return results;
}

TEST(Accuracy, IsTheShareOfCorrectAnswers) {
  EXPECT_EQ(Accuracy({}), 0);
  EXPECT_EQ(Accuracy(Results("----")), 0);
  EXPECT_EQ(Accuracy(Results("+-+-")), 0.5);
  EXPECT_EQ(Accuracy(Results("+++")), 1);
  EXPECT_EQ(Accuracy(Results("+--")), 1.0 / 3);
}

// Expected values: Wilson's formula in 40-digit decimals.
TEST(WilsonInterval, HasTheKnownValues) {
  struct Case {
    int correct, total;
    double low, high;
  };
  constexpr Case kCases[] = {
      {64, 250, 0.2058781822253418, 0.3135068679284351},
      {67, 250, 0.2169113214590574, 0.3261105295068288},
      {0, 10, 0, 0.2775327998628893},
      {10, 10, 0.7224672001371107, 1},
      {1, 1, 0.2065493143772374, 1},
      {5, 10, 0.236593090512564, 0.7634069094874361},
      {130, 250, 0.4582370772520494, 0.5811575907681329},
      {384, 1069, 0.3310051977145179, 0.3884314464184652},
  };
  for (const Case& c : kCases) {
    const Interval interval = WilsonInterval(c.correct, c.total);
    EXPECT_NEAR(interval.low, c.low, 1e-12) << c.correct << "/" << c.total;
    EXPECT_NEAR(interval.high, c.high, 1e-12) << c.correct << "/" << c.total;
  }
}

TEST(WilsonInterval, StaysInRangeHoldsTheShareAndNarrowsWithSamples) {
  EXPECT_EQ(WilsonInterval(0, 0), (Interval{0, 1}));
  for (const int total : {1, 2, 10, 250, 100'000}) {
    EXPECT_EQ(WilsonInterval(0, total).low, 0) << total;
    EXPECT_EQ(WilsonInterval(total, total).high, 1) << total;
    for (const int correct : {0, 1, total / 2, total}) {
      const Interval interval = WilsonInterval(correct, total);
      EXPECT_LE(interval.low, static_cast<double>(correct) / total);
      EXPECT_GE(interval.high, static_cast<double>(correct) / total);
      EXPECT_GE(interval.low, 0);
      EXPECT_LE(interval.high, 1);
      EXPECT_LT(interval.low, interval.high);
    }
  }
  const auto width = [](const Interval& interval) { return interval.high - interval.low; };
  EXPECT_GT(width(WilsonInterval(5, 10)), width(WilsonInterval(50, 100)));
}

TEST(RankScores, BestFirstTiesInOrderNaNLast) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double scores[] = {0.5, kNaN, 0.7, 0.5, -kInf, kNaN, kInf, 0.7};
  EXPECT_THAT(RankScores(scores), ElementsAre(6, 2, 7, 0, 3, 4, 1, 5));
  EXPECT_THAT(RankScores({}), IsEmpty());
}

TEST(ComparePaired, CountsWhereJustOneIsRight) {
  const PairedComparison comparison = ComparePaired(Results("++--+"), Results("+--++"));
  EXPECT_EQ(comparison.only_first, 1);
  EXPECT_EQ(comparison.only_second, 1);
  EXPECT_DOUBLE_EQ(comparison.p_value, 1);
}

// `first` and `second` samples that only the one or the other model has right, and some that both have.
PairedComparison CompareDiscordant(int first, int second) {
  const auto some = [](char verdict, int count) { return std::string(static_cast<size_t>(count), verdict); };
  return ComparePaired(Results("+-" + some('+', first) + some('-', second)),
                       Results("+-" + some('-', first) + some('+', second)));
}

// Expected values: twice the lower binomial tail in exact fractions, at most 1.
TEST(ComparePaired, HasTheExactPValue) {
  struct Case {
    int first, second;
    double p_value;
  };
  constexpr Case kCases[] = {
      {1, 0, 1},
      {2, 0, 0.5},
      {5, 0, 0.0625},
      {6, 0, 0.03125},
      {3, 10, 0.09228515625},
      {10, 10, 1},
      {10, 11, 1},
      {12, 30, 0.007915897334896727},
      {40, 60, 0.05688793364098079},
      {250, 310, 0.01259047514938026},
      {900, 1000, 0.02310884510890107},
  };
  for (const Case& c : kCases) {
    const PairedComparison comparison = CompareDiscordant(c.first, c.second);
    EXPECT_EQ(comparison.only_first, c.first);
    EXPECT_EQ(comparison.only_second, c.second);
    EXPECT_NEAR(comparison.p_value, c.p_value, 1e-10 + 1e-9 * c.p_value) << c.first << " : " << c.second;
    EXPECT_DOUBLE_EQ(CompareDiscordant(c.second, c.first).p_value, comparison.p_value);
  }
}

TEST(ComparePaired, EqualOrNoAnswersAreNoEvidence) {
  EXPECT_EQ(ComparePaired({}, {}).p_value, 1);
  EXPECT_EQ(ComparePaired(Results("++-"), Results("++-")).p_value, 1);
}

}  // namespace
}  // namespace heterosis
