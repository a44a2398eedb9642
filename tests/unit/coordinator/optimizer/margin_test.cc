// SPDX-License-Identifier: Apache-2.0
// CMA-ES with margin against runs of the `cmaes` package's CMAwM (golden/cma), and its grid by hand.
#include "coordinator/optimizer/margin.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/json.h"
#include "coordinator/optimizer/normal_distribution.h"
#include "tests/support/shared.h"
#include "tests/unit/coordinator/optimizer/golden_cma.h"

namespace heterosis {
namespace {

constexpr double kOneGeneration = 1e-13;
constexpr double kChained = 1e-9;  // over up to 30 generations

// What every golden run has: the unit box, its first genes discrete.
OptimizerOptions UnitOptions(size_t dimension, size_t discrete, double step) {
  OptimizerOptions options;
  options.lower.assign(dimension, 0.0);
  options.upper.assign(dimension, 1.0);
  options.steps.assign(dimension, 0.0);
  for (size_t i = 0; i < discrete; ++i) options.steps[i] = step;
  return options;
}

class GoldenMarginTest : public GoldenRunTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    Load(GetParam());
    if (IsSkipped() || HasFatalFailure()) return;
    n_ = golden_.at("constants").at("n").get<size_t>();
    options_ = UnitOptions(n_, golden_.at("n_discrete").get<size_t>(), golden_.at("step").get<double>());
    settings_.constants = MakeCmaConstants(static_cast<int>(n_), golden_.at("constants").at("popsize").get<int>());
    settings_.constants.eigen_gap = 0;
    settings_.box = GeneGrid(options_).WithoutDiscrete(Box(options_.lower, options_.upper));
    settings_.resampling_max = 100;
  }

  double least() const { return golden_.at("margin").get<double>(); }

  std::pair<CmaState, MarginState> Before(size_t index) const {
    const Json& init = golden_.at("init");
    CmaState state = InitialCmaState(Numbers(init.at("mean")), init.at("sigma").get<double>());
    MarginState margin{std::vector<double>(n_, 1.0)};
    if (index > 0) {
      const Json& before = generation(index - 1).at("state");
      SetEvolution(before, state);
      state.c = MatrixOf(before.at("C"));
      margin.scales = Numbers(before.at("A"));
    }
    state.eigen = {Transposed(MatrixOf(generation(index).at("B"))), Numbers(generation(index).at("D"))};
    state.generation = state.eigen_generation = static_cast<int64_t>(index);
    return {state, margin};
  }

  // Draws with the file's normal numbers, and compares both forms of the candidates.
  Matrix ExpectSamples(const CmaState& state, const MarginState& margin, size_t index, double tolerance) const {
    GoldenNormals normals(golden_, index, 1);
    const Matrix drawn = SampleCandidates(settings_, state, std::ref(normals));
    EXPECT_EQ(normals.asked(), normals.used());
    ExpectNear(drawn.values, MatrixOf(generation(index).at("X_tell")).values, tolerance, "X_tell");
    Matrix genomes = drawn;
    for (size_t i = 0; i < genomes.rows; ++i) PutOnGrid(GeneGrid(options_), margin, state.mean, genomes.row(i));
    ExpectNear(genomes.values, MatrixOf(generation(index).at("X_eval")).values, tolerance, "X_eval");
    return drawn;
  }

  void Learn(const Matrix& drawn, size_t index, double tolerance, CmaState& state, MarginState& margin) const {
    const Json& expected = generation(index).at("state");
    UpdateState(settings_, drawn, EvaluationsOf(generation(index).at("fitness")), 0, state);
    ExpectNear(state.mean, Numbers(expected.at("mean_before_margin")), tolerance, "mean before the margin");
    KeepMargin(GeneGrid(options_), least(), state, margin);
    ExpectEvolution(state, expected, tolerance);
    ExpectNear(margin.scales, Numbers(expected.at("A")), tolerance, "A");
    ExpectCovarianceNear(state.c, expected.at("C"), tolerance, "C");
  }

  size_t n_ = 0;
  OptimizerOptions options_;
  CmaSettings settings_;
};

TEST_P(GoldenMarginTest, SamplesAndLearnsAsThePackageFromItsState) {
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    auto [state, margin] = Before(i);
    ExpectSamples(state, margin, i, kOneGeneration);
    Learn(MatrixOf(generation(i).at("X_tell")), i, kOneGeneration, state, margin);
  }
}

TEST_P(GoldenMarginTest, StaysWithThePackageOverAllGenerations) {
  auto [state, margin] = Before(0);
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    const Matrix drawn = ExpectSamples(state, margin, i, kChained);
    Learn(drawn, i, kChained, state, margin);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenMarginTest,
                         testing::Values("cmawm_n6_l8", "cmawm_onemax_n8_30gen", "cmawm_int5_n6_30gen"),
                         [](const auto& parameter) { return parameter.param; });

TEST(GeneGridTest, NearestValueAndTheLowerAtAMidpoint) {
  const GeneGrid grid(UnitOptions(2, 1, 0.25));
  ASSERT_EQ(grid.genes(), std::vector<size_t>{0});
  EXPECT_EQ(grid.Nearest(0, -7), 0);
  EXPECT_EQ(grid.Nearest(0, 0.125), 0);
  EXPECT_EQ(grid.Nearest(0, std::nextafter(0.125, 1)), 0.25);
  EXPECT_EQ(grid.Nearest(0, 0.9), 1);
  EXPECT_EQ(grid.Nearest(0, 1e9), 1);
  EXPECT_EQ(grid.LimitsOf(0, 0.5).lower, 0.375);
  EXPECT_EQ(grid.LimitsOf(0, 0.5).upper, 0.625);
  EXPECT_EQ(grid.LimitsOf(0, -1).lower, 0.125);
  EXPECT_EQ(grid.LimitsOf(0, -1).upper, 0.125);
  EXPECT_EQ(grid.LimitsOf(0, 2).lower, 0.875);
  EXPECT_EQ(grid.LimitsOf(0, 2).upper, 0.875);
}

// 3 * 0.1 is above 0.3: rounding must not lead out of the bounds.
TEST(GeneGridTest, ValuesStayInTheBounds) {
  OptimizerOptions options = UnitOptions(1, 1, 0.1);
  options.upper[0] = 0.3;
  EXPECT_EQ(GeneGrid(options).Nearest(0, 5), 0.3);
}

// The package divides by zero from here on.
TEST(KeepMarginTest, BitWhoseMeanIsExactlyInTheMiddleKeepsItsScale) {
  CmaState state = InitialCmaState({0.5}, 0.2);
  MarginState margin{{1.0}};
  KeepMargin(GeneGrid(UnitOptions(1, 1, 1)), 0.05, state, margin);
  EXPECT_EQ(margin.scales[0], 1);
  EXPECT_EQ(state.mean[0], 0.5);
}

TEST(KeepMarginTest, SettledBitKeepsItsOtherValueAlive) {
  CmaState state = InitialCmaState({3.0}, 0.2);
  MarginState margin{{1.0}};
  KeepMargin(GeneGrid(UnitOptions(1, 1, 1)), 0.05, state, margin);
  EXPECT_NEAR(NormalCdf((0.5 - state.mean[0]) / 0.2), 0.05, 1e-12);
}

TEST(NormalDistributionTest, QuantileInvertsTheDistribution) {
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(NormalQuantile(0.5), 0, 1e-16);
  for (const double p : {1e-300, 1e-20, 1e-10, 0.001, 0.02425, 0.3, 0.5, 0.77, 0.999, 1 - 1e-12}) {
    EXPECT_NEAR(NormalCdf(NormalQuantile(p)) / p, 1, 2e-13) << p;
  }
}

}  // namespace
}  // namespace heterosis
