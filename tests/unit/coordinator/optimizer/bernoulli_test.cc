// SPDX-License-Identifier: Apache-2.0
// The Bernoulli model against the categorical part of a run of the `cmaes` package's CatCMA (golden/cma).
#include "coordinator/optimizer/bernoulli.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "coordinator/optimizer/ranking.h"
#include "tests/support/shared.h"
#include "tests/unit/coordinator/optimizer/golden_cma.h"

namespace heterosis {
namespace {

class GoldenBernoulliTest : public GoldenRunTest {
 protected:
  void SetUp() override { Load("catcma_co2_ca8_l8_20gen"); }

  static std::vector<double> OnesOf(const Json& q) {
    std::vector<double> ones;
    for (const Json& row : q) ones.push_back(row.at(1).get<double>());
    return ones;
  }

  void Learn(const Json& generation, BernoulliState& state) const {
    const std::vector<size_t> ranking = Ranking(EvaluationsOf(generation.at("fitness")));
    std::vector<std::vector<char>> bits;
    for (const size_t i : ranking) bits.push_back(generation.at("bits").at(i).get<std::vector<char>>());
    std::vector<BitParent> parents;
    for (size_t i = 0; i < bits.size(); ++i)
      parents.push_back({bits[i], {}, golden_.at("weights").at(i).get<double>()});
    UpdateBernoulli(parents, state);
  }

  static void ExpectState(const BernoulliState& state, const Json& expected, double tolerance) {
    ExpectNear(state.probabilities, OnesOf(expected.at("q")), tolerance, "q");
    std::vector<double> signal = Numbers(expected.at("s"));
    for (double& value : signal) value = -value;  // theirs is of the zeros
    ExpectNear(state.signal, signal, tolerance, "s");
    const std::vector<double> rates = {state.signal_expected, state.damping, state.step};
    ExpectNear(rates,
               std::vector{expected.at("gamma").get<double>(), expected.at("Delta").get<double>(),
                           expected.at("delta").get<double>()},
               tolerance, "gamma, Delta, delta");
  }
};

TEST_F(GoldenBernoulliTest, MarginIsThePackages) {
  const std::vector<double> margins = Numbers(golden_.at("q_min"));
  EXPECT_NEAR(BernoulliMargin(margins.size()), margins[0], 1e-15);
}

TEST_F(GoldenBernoulliTest, LearnsAsThePackageFromItsState) {
  const Json& generations = golden_.at("generations");
  for (size_t i = 0; i < generations.size(); ++i) {
    SCOPED_TRACE(i);
    BernoulliState state = InitialBernoulli(OnesOf(golden_.at("init").at("q")));
    if (i > 0) {
      const Json& before = generations.at(i - 1).at("state");
      state.probabilities = OnesOf(before.at("q"));
      state.signal = Numbers(before.at("s"));
      for (double& value : state.signal) value = -value;
      state.signal_expected = before.at("gamma").get<double>();
      state.damping = before.at("Delta").get<double>();
      state.step = before.at("delta").get<double>();
    }
    Learn(generations.at(i), state);
    ExpectState(state, generations.at(i).at("state"), 1e-13);
  }
}

TEST_F(GoldenBernoulliTest, StaysWithThePackageOverAllGenerations) {
  BernoulliState state = InitialBernoulli(OnesOf(golden_.at("init").at("q")));
  for (const Json& generation : golden_.at("generations")) {
    Learn(generation, state);
    ExpectState(state, generation.at("state"), 1e-10);
  }
}

TEST(BernoulliTest, BitWithoutEffectLearnsNothing) {
  BernoulliState state = InitialBernoulli({0.5, 0.5, 0.5});
  const std::vector<char> bits = {1, 1, 1};
  const std::vector<char> active = {1, 0, 1};
  for (int i = 0; i < 5; ++i) UpdateBernoulli(std::vector<BitParent>{{bits, active, 1.0}}, state);
  EXPECT_GT(state.probabilities[0], 0.8);
  EXPECT_EQ(state.probabilities[1], 0.5);
  EXPECT_EQ(state.probabilities[0], state.probabilities[2]);
}

TEST(BernoulliTest, SettledBitsKeepBothValuesAlive) {
  BernoulliState state = InitialBernoulli({0.0, 1.0, 0.5, 0.5});
  const double margin = BernoulliMargin(4);
  EXPECT_EQ(state.probabilities[0], margin);
  EXPECT_EQ(state.probabilities[1], 1 - margin);
  const std::vector<char> bits = {1, 0, 1, 0};
  for (int i = 0; i < 1000; ++i) UpdateBernoulli(std::vector<BitParent>{{bits, {}, 1.0}}, state);
  EXPECT_EQ(state.probabilities, (std::vector{1 - margin, margin, 1 - margin, margin}));
  EXPECT_TRUE(std::isfinite(state.damping) && std::isfinite(state.signal[0]));
}

TEST(BernoulliTest, NoParentsChangeNothing) {
  BernoulliState state = InitialBernoulli({0.25, 0.75});
  UpdateBernoulli({}, state);
  EXPECT_EQ(state.probabilities, (std::vector{0.25, 0.75}));
  EXPECT_EQ(state.damping, 1);
}

}  // namespace
}  // namespace heterosis
