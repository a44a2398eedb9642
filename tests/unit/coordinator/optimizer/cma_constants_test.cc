// SPDX-License-Identifier: Apache-2.0
// The constants of CMA-ES against the `cmaes` package's for 44 pairs of dimension and population.
#include "coordinator/optimizer/cma_constants.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "common/base/json.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

void ExpectRelative(double actual, const Json& expected, const char* name) {
  EXPECT_NEAR(actual, expected.get<double>(), 1e-13 * std::abs(expected.get<double>())) << name;
}

TEST(CmaConstantsTest, AreThePackages) {
  const std::string path = SharedPath("golden/cma/constants.json");
  if (path.empty()) GTEST_SKIP() << kNoShared;
  const absl::StatusOr<Json> golden = ReadJsonFile(path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  ASSERT_FALSE(golden->at("table").empty());
  for (const Json& row : golden->at("table")) {
    SCOPED_TRACE(row.at("n").dump() + " / " + row.at("popsize").dump());
    const CmaConstants k = MakeCmaConstants(row.at("n").get<int>(), row.at("popsize").get<int>());
    EXPECT_EQ(k.parents, row.at("mu").get<int>());
    ExpectRelative(k.mu_eff, row.at("mu_eff"), "mu_eff");
    ExpectRelative(k.c1, row.at("c1"), "c1");
    ExpectRelative(k.c_mu, row.at("cmu"), "cmu");
    ExpectRelative(k.c_sigma, row.at("c_sigma"), "c_sigma");
    ExpectRelative(k.d_sigma, row.at("d_sigma"), "d_sigma");
    ExpectRelative(k.c_c, row.at("cc"), "cc");
    ExpectRelative(k.chi_n, row.at("chi_n"), "chi_n");
    ASSERT_EQ(k.weights.size(), row.at("weights").size());
    for (size_t i = 0; i < k.weights.size(); ++i) ExpectRelative(k.weights[i], row.at("weights").at(i), "weight");
  }
}

// Values of pycma's rule (facts/cma.md 1b).
TEST(CmaConstantsTest, EigenGapGrowsWithTheDimension) {
  EXPECT_LT(MakeCmaConstants(10, 10).eigen_gap, 1);
  EXPECT_NEAR(MakeCmaConstants(450, 22).eigen_gap, 4.0, 0.1);
  EXPECT_NEAR(MakeCmaConstants(4288, 128).eigen_gap, 6.4, 0.1);
}

TEST(CmaConstantsTest, SmallestPopulationsAreUsable) {
  for (const int population : {2, 3, 4}) {
    const CmaConstants k = MakeCmaConstants(1, population);
    for (const double w : k.weights) EXPECT_TRUE(std::isfinite(w)) << population;
    EXPECT_GT(k.weights.front(), 0);
    EXPECT_LT(k.weights.back(), 0);
  }
}

}  // namespace
}  // namespace heterosis
