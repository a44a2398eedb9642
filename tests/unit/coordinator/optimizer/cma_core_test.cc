// SPDX-License-Identifier: Apache-2.0
// The mathematics of CMA-ES against runs of the `cmaes` package (golden/cma), and what the package does not have.
#include "coordinator/optimizer/cma_core.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/base/random.h"
#include "coordinator/optimizer/ranking.h"
#include "tests/support/shared.h"
#include "tests/unit/coordinator/optimizer/golden_cma.h"

namespace heterosis {
namespace {

constexpr double kOneGeneration = 1e-13;
constexpr double kChained = 1e-10;

class GoldenCmaTest : public GoldenRunTest, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override { Load(GetParam()); }

  // One file lengthens its samples so that the h_sigma = 0 branch is taken.
  static double stretch() { return GetParam() == "cma_n6_l8_hsig0" ? 4 : 1; }

  static void ExpectState(const CmaState& state, const Json& expected, double tolerance) {
    ExpectEvolution(state, expected, tolerance);
    ExpectCovarianceNear(state.c, expected.at("C"), tolerance, "C");
  }
};

TEST_P(GoldenCmaTest, RanksAsThePackage) {
  for (size_t i = 0; i < generations(); ++i) {
    EXPECT_EQ(Ranking(EvaluationsOf(generation(i).at("fitness"))),
              generation(i).at("order_after_sort").get<std::vector<size_t>>());
  }
}

TEST_P(GoldenCmaTest, SamplesThePackagesPointsFromItsState) {
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    GoldenNormals normals(golden_, i, stretch());
    const Matrix x = SampleCandidates(SettingsOf(golden_), StateBefore(golden_, i), std::ref(normals));
    ExpectNear(x.values, MatrixOf(generation(i).at("X")).values, kOneGeneration, "X");
    EXPECT_EQ(normals.asked(), normals.used());
  }
}

TEST_P(GoldenCmaTest, LearnsAsThePackageFromItsState) {
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    CmaState state = StateBefore(golden_, i);
    UpdateState(SettingsOf(golden_), MatrixOf(generation(i).at("X")), EvaluationsOf(generation(i).at("fitness")), 0,
                state);
    ExpectState(state, generation(i).at("state"), kOneGeneration);
  }
}

TEST_P(GoldenCmaTest, StaysWithThePackageOverAllGenerations) {
  CmaState state = InitialStateOf(golden_);
  for (size_t i = 0; i < generations(); ++i) {
    SCOPED_TRACE(i);
    GoldenNormals normals(golden_, i, stretch());
    ExpectNear(state.eigen.scales, Numbers(generation(i).at("D")), kChained, "D");
    const Matrix x = SampleCandidates(SettingsOf(golden_), state, std::ref(normals));
    ExpectNear(x.values, MatrixOf(generation(i).at("X")).values, kChained, "X");
    UpdateState(SettingsOf(golden_), x, EvaluationsOf(generation(i).at("fitness")), 0, state);
    ExpectState(state, generation(i).at("state"), kChained);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenCmaTest,
                         testing::Values("cma_n6_l8", "cma_n6_l8_anisoC", "cma_n6_l8_ties", "cma_n6_l8_bounds",
                                         "cma_n6_l8_clip", "cma_n6_l8_hsig0", "cma_n20_l12_ellipsoid_10gen"),
                         [](const auto& parameter) { return parameter.param; });

NormalSource Normals(uint64_t generation) {
  return [generation](size_t candidate, int attempt, std::span<double> z) {
    RandomStream stream(RandomKey({generation, candidate, static_cast<uint64_t>(attempt)}));
    for (double& value : z) value = stream.NextNormal();
  };
}

CmaSettings Settings(int dimension, int population) {
  CmaSettings settings;
  settings.constants = MakeCmaConstants(dimension, population);
  return settings;
}

std::vector<Evaluation> SphereEvaluations(const Matrix& x) {
  std::vector<Evaluation> evaluations;
  for (size_t i = 0; i < x.rows; ++i) evaluations.push_back({-Dot(x.row(i), x.row(i))});
  return evaluations;
}

TEST(CmaCoreTest, DecomposesOnlyAfterTheGap) {
  CmaSettings settings = Settings(5, 8);
  settings.constants.eigen_gap = 2.5;
  CmaState state = InitialCmaState(std::vector<double>(5, 1.0), 0.5);
  std::vector<int64_t> decomposed;
  for (uint64_t g = 0; g < 7; ++g) {
    const Matrix x = SampleCandidates(settings, state, Normals(g));
    UpdateState(settings, x, SphereEvaluations(x), 0, state);
    decomposed.push_back(state.eigen_generation);
  }
  EXPECT_EQ(decomposed, (std::vector<int64_t>{0, 0, 3, 3, 3, 6, 6}));
}

TEST(CmaCoreTest, TwoPointCandidatesMirrorEachOtherAlongTheLastMove) {
  CmaSettings settings = Settings(6, 9);
  settings.two_point = true;
  CmaState state = InitialCmaState(std::vector<double>(6, 2.0), 0.5);
  const Matrix first = SampleCandidates(settings, state, Normals(0));
  UpdateState(settings, first, SphereEvaluations(first), 0, state);
  const Matrix x = SampleCandidates(settings, state, Normals(1));
  for (size_t j = 0; j < 6; ++j) {
    EXPECT_NEAR(x.row(0)[j] + x.row(1)[j], 2 * state.mean[j], 1e-12);
    // Parallel to the move: the same ratio in every coordinate.
    EXPECT_NEAR((x.row(0)[j] - state.mean[j]) / state.last_move[j], (x.row(0)[0] - state.mean[0]) / state.last_move[0],
                1e-12);
  }
  EXPECT_GT((x.row(0)[0] - state.mean[0]) / state.last_move[0], 0);
}

TEST(CmaCoreTest, TwoPointWithoutAMoveSamplesFreely) {
  CmaSettings settings = Settings(6, 9);
  settings.two_point = true;
  CmaState state = InitialCmaState(std::vector<double>(6, 2.0), 0.5);
  const Matrix free = SampleCandidates(settings, state, Normals(0));
  state.last_move.assign(6, 0.0);
  EXPECT_EQ(SampleCandidates(settings, state, Normals(0)).values, free.values);
}

// A parent may lie a hundred standard deviations away: one such point must not blow up the step size.
TEST(CmaCoreTest, InjectedPointIsFollowedWithALimitedStep) {
  const CmaSettings settings = Settings(10, 10);
  CmaState free = InitialCmaState(std::vector<double>(10, 0.0), 0.01);
  Matrix x = SampleCandidates(settings, free, Normals(0));
  for (double& value : x.row(0)) value = 1;
  std::vector<Evaluation> evaluations(10, {0.0});
  evaluations[0].fitness = 1;
  CmaState limited = free;
  UpdateState(settings, x, evaluations, 0, free);
  UpdateState(settings, x, evaluations, 1, limited);
  EXPECT_GT(free.sigma, 1);
  EXPECT_LT(limited.sigma, 0.03);
  const auto sum = [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); };
  EXPECT_GT(sum(limited.mean), 0.05);
  EXPECT_LT(sum(limited.mean), 0.1 * sum(free.mean));
}

TEST(CmaCoreTest, ClippedCandidatesAreSparedNegativeWeights) {
  CmaSettings settings = Settings(2, 6);
  settings.box = Box({0, 0}, {1, 1});
  CmaState package = InitialCmaState({0.5, 0.5}, 0.25);
  Matrix x(6, 2);
  x.values = {0.5, 0.6, 0.6, 0.5, 0.4, 0.4, 0.7, 0.6, 0.5, 0.8, 0.5, 1.0};
  const std::vector<Evaluation> evaluations = {{6}, {5}, {4}, {3}, {2}, {1}};
  CmaState spared = package;
  UpdateState(settings, x, evaluations, 0, package);
  settings.spare_clipped = true;
  UpdateState(settings, x, evaluations, 0, spared);
  EXPECT_GT(spared.c.row(1)[1], package.c.row(1)[1]) << "the last step, onto a bound, is not unlearned";
  EXPECT_EQ(spared.mean, package.mean);
  EXPECT_EQ(spared.sigma, package.sigma);
}

// After the gap's stale C^(-1/2) or rounding a covariance may lose its definiteness: the search goes on.
TEST(CmaCoreTest, IndefiniteCovarianceIsRepaired) {
  CmaSettings settings = Settings(4, 8);
  CmaState state = InitialCmaState(std::vector<double>(4, 1.0), 0.5);
  state.c.row(2)[2] = -3;
  const Matrix x = SampleCandidates(settings, state, Normals(0));
  UpdateState(settings, x, SphereEvaluations(x), 0, state);
  for (const double scale : state.eigen.scales) EXPECT_GT(scale, 0);
  EXPECT_GT(state.c.row(2)[2], 0) << "the covariance follows its repaired decomposition";
}

TEST(CmaCoreTest, BrokenCovarianceFallsBackToTheLastDecomposition) {
  CmaSettings settings = Settings(4, 8);
  CmaState state = InitialCmaState(std::vector<double>(4, 1.0), 0.5);
  state.c.row(1)[2] = std::numeric_limits<double>::quiet_NaN();
  const Matrix x = SampleCandidates(settings, state, Normals(0));
  UpdateState(settings, x, SphereEvaluations(x), 0, state);
  EXPECT_EQ(state.eigen.scales, std::vector<double>(4, 1.0));
  EXPECT_EQ(state.c.values, Matrix::Identity(4).values);
}

}  // namespace
}  // namespace heterosis
