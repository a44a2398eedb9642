// SPDX-License-Identifier: Apache-2.0
// Tests the normal numbers of a generation: their values by the plain formula, and their distribution.
#include "coordinator/optimizer/generation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "common/base/random.h"

namespace heterosis {
namespace {

OptimizerOptions Options() {
  OptimizerOptions options;
  options.seed = 11;
  options.phase = 2;
  return options;
}

TEST(KeyedNormalsTest, ArePairsOfBoxAndMullerFromTheKeysStream) {
  const OptimizerOptions options = Options();
  for (const size_t count : {1, 2, 7, 127, 128, 129, 300}) {
    std::vector<double> z(count);
    KeyedNormals(options, 5)(3, 1, z);
    RandomStream stream(RandomKey({11, 2, 5, 3, 1}));
    for (size_t i = 0; i < count; i += 2) {
      const double radius = std::sqrt(-2 * std::log(1 - stream.NextUniform()));
      const double angle = 2 * std::numbers::pi * stream.NextUniform();
      // The angle here is rounded, by up to half a unit in the last place of 2 pi.
      EXPECT_NEAR(z[i], radius * std::cos(angle), 1e-14) << count << " / " << i;
      if (i + 1 < count) {
        EXPECT_NEAR(z[i + 1], radius * std::sin(angle), 1e-14) << count << " / " << i + 1;
      }
    }
  }
}

TEST(KeyedNormalsTest, AreStandardNormal) {
  const OptimizerOptions options = Options();
  std::vector<double> z(100'000);
  KeyedNormals(options, 0)(0, 0, z);
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  double neighbours = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    sum += z[i];
    squares += z[i] * z[i];
    fourths += std::pow(z[i], 4);
    if (i > 0) neighbours += z[i] * z[i - 1];
  }
  const double n = static_cast<double>(z.size());
  EXPECT_NEAR(sum / n, 0, 0.015);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(fourths / n, 3, 0.15);
  EXPECT_NEAR(neighbours / n, 0, 0.015);
}

}  // namespace
}  // namespace heterosis
