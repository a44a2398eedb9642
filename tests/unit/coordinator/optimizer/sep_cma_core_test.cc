// SPDX-License-Identifier: Apache-2.0
// The mathematics of separable CMA-ES against a run of the `cmaes` package's SepCMA (golden/cma).
#include "coordinator/optimizer/sep_cma_core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "tests/unit/coordinator/optimizer/golden_cma.h"

namespace heterosis {
namespace {

constexpr double kOneGeneration = 1e-13;
constexpr double kChained = 1e-10;

class GoldenSepCmaTest : public GoldenRunTest {
 protected:
  void SetUp() override {
    Load("sepcma_n6_l8");
    if (IsSkipped() || HasFatalFailure()) return;
    const Json& constants = golden_.at("constants");
    settings_.constants = MakeSepCmaConstants(constants.at("n").get<int>(), constants.at("popsize").get<int>());
  }

  SepCmaState Start() const {
    const Json& init = golden_.at("init");
    return InitialSepCmaState(Numbers(init.at("mean")), init.at("sigma").get<double>());
  }

  SepCmaState Before(size_t index) const {
    SepCmaState state = Start();
    if (index == 0) return state;
    const Json& before = generation(index - 1).at("state");
    state.generation = before.at("g").get<int64_t>();
    SetEvolution(before, state);
    state.variances = Numbers(before.at("C"));
    return state;
  }

  Matrix Sample(const SepCmaState& state, size_t index) const {
    const Matrix rows = MatrixOf(golden_.at("z_rows"));
    const size_t first = generation(index).at("z_first_row").get<size_t>();
    return SampleSepCma(settings_, state, [&](size_t candidate, int attempt, std::span<double> z) {
      ASSERT_EQ(attempt, 0);
      std::copy_n(rows.row(first + candidate).begin(), z.size(), z.begin());
    });
  }

  static void ExpectState(const SepCmaState& state, const Json& expected, double tolerance) {
    ExpectEvolution(state, expected, tolerance);
    ExpectNear(state.variances, Numbers(expected.at("C")), tolerance, "C");
  }

  CmaSettings settings_;
};

TEST_F(GoldenSepCmaTest, ConstantsAreThePackages) {
  const CmaConstants& k = settings_.constants;
  const Json& expected = golden_.at("constants");
  const auto check = [&](double actual, const char* name) {
    const double value = expected.at(name).get<double>();
    EXPECT_NEAR(actual, value, 1e-13 * value) << name;
  };
  EXPECT_EQ(k.parents, expected.at("mu").get<int>());
  check(k.mu_eff, "mu_eff");
  check(k.c1, "c1");
  check(k.c_mu, "cmu");
  check(k.c_sigma, "c_sigma");
  check(k.d_sigma, "d_sigma");
  check(k.c_c, "cc");
  check(k.chi_n, "chi_n");
  ExpectNear(k.weights, Numbers(expected.at("weights")), 1e-13, "weights");
}

TEST_F(GoldenSepCmaTest, SamplesAndLearnsAsThePackageFromItsState) {
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    SepCmaState state = Before(i);
    const Matrix expected = MatrixOf(generation(i).at("X"));
    ExpectNear(Sample(state, i).values, expected.values, kOneGeneration, "X");
    UpdateSepCma(settings_, expected, EvaluationsOf(generation(i).at("fitness")), 0, state);
    ExpectState(state, generation(i).at("state"), kOneGeneration);
  }
}

TEST_F(GoldenSepCmaTest, StaysWithThePackageOverAllGenerations) {
  SepCmaState state = Start();
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    const Matrix x = Sample(state, i);
    UpdateSepCma(settings_, x, EvaluationsOf(generation(i).at("fitness")), 0, state);
    ExpectState(state, generation(i).at("state"), kChained);
  }
}

// The package's rate for the variances passes 1 here, and its variances become negative.
TEST(SepCmaConstantsTest, ManyCandidatesForFewGenesForgetNoMoreThanAll) {
  for (const int population : {2, 3, 40, 128, 1000}) {
    for (const int dimension : {1, 2, 6, 20}) {
      const CmaConstants k = MakeSepCmaConstants(dimension, population);
      EXPECT_LE(k.c1 + k.c_mu, 1) << dimension << " / " << population;
      EXPECT_GE(k.c_mu, 0);
    }
  }
}

TEST(SepCmaCoreTest, InjectedPointIsFollowedWithALimitedStep) {
  CmaSettings settings;
  settings.constants = MakeSepCmaConstants(10, 10);
  SepCmaState free = InitialSepCmaState(std::vector<double>(10, 0.0), 0.01);
  Matrix x(10, 10);
  for (double& value : x.row(0)) value = 1;
  std::vector<Evaluation> evaluations(10, {0.0});
  evaluations[0].fitness = 1;
  SepCmaState limited = free;
  UpdateSepCma(settings, x, evaluations, 0, free);
  UpdateSepCma(settings, x, evaluations, 1, limited);
  EXPECT_GT(free.sigma, 1);
  EXPECT_LT(limited.sigma, 0.03);
  EXPECT_GT(limited.mean[3], 0.001);
  EXPECT_LT(limited.mean[3], 0.1 * free.mean[3]);
}

}  // namespace
}  // namespace heterosis
