// SPDX-License-Identifier: Apache-2.0
// Tests the ranking of a generation and the two step-size rules on generations small enough to check by hand.
#include "coordinator/optimizer/step_size.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(RankingTest, BestFirstTiesByIndexInvalidLast) {
  const std::vector<Evaluation> evaluations = {{kNan}, {0.2}, {0.9, false}, {0.5}, {kInfinity}, {0.5}, {0.2}};
  EXPECT_EQ(Ranking(evaluations), (std::vector<size_t>{3, 5, 1, 6, 0, 2, 4}));
}

TEST(TpaTest, SignalIsTheLeadOfTheForwardCandidate) {
  EXPECT_DOUBLE_EQ(TpaSignal(std::vector<Evaluation>{{0.9}, {0.1}, {0.5}, {0.4}, {0.3}}), 1);
  EXPECT_DOUBLE_EQ(TpaSignal(std::vector<Evaluation>{{0.1}, {0.9}, {0.5}, {0.4}, {0.3}}), -1);
  EXPECT_DOUBLE_EQ(TpaSignal(std::vector<Evaluation>{{0.45}, {0.35}, {0.5}, {0.4}, {0.3}}), 0.5);
}

TEST(TpaTest, TiesAndFailuresGiveNoSignal) {
  EXPECT_EQ(TpaSignal(std::vector<Evaluation>{{0.5}, {0.5}, {0.5}, {0.5}}), 0);
  EXPECT_EQ(TpaSignal(std::vector<Evaluation>{{0.5}, {0.5}, {0.9}, {0.1}}), 0);
  EXPECT_EQ(TpaSignal(std::vector<Evaluation>{{kNan}, {0.5}, {0.9}, {0.1}}), 0);
  EXPECT_EQ(TpaSignal(std::vector<Evaluation>{{0.9}, {0.1, false}, {0.9}, {0.1}}), 0);
}

TEST(TpaTest, FactorFollowsTheSmoothedSignal) {
  const CmaConstants k = MakeCmaConstants(450, 22);
  EXPECT_DOUBLE_EQ(TpaSmoothed(0.5, 0.25), 0.7 * 0.5 + 0.3 * 0.5);
  EXPECT_DOUBLE_EQ(TpaSmoothed(0.5, -0.25), 0.7 * 0.5 - 0.3 * 0.5);
  EXPECT_DOUBLE_EQ(TpaFactor(k, 0), 1);
  EXPECT_DOUBLE_EQ(TpaFactor(k, 1), std::exp(1 / (0.7 + 2 * std::log(450.0))));
}

TEST(CsaTest, PathOfExpectedLengthKeepsSigma) {
  const CmaConstants k = MakeCmaConstants(10, 10);
  EXPECT_DOUBLE_EQ(CsaFactor(k, k.chi_n), 1);
  EXPECT_GT(CsaFactor(k, 2 * k.chi_n), 1);
  EXPECT_LT(CsaFactor(k, 0), 1);
}

}  // namespace
}  // namespace heterosis
