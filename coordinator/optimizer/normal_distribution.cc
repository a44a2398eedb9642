// SPDX-License-Identifier: Apache-2.0
// Implements normal_distribution.h.
#include "coordinator/optimizer/normal_distribution.h"

#include <cmath>
#include <numbers>

namespace heterosis {

double NormalCdf(double x) {
  return std::erfc(-x / std::numbers::sqrt2) / 2;
}

double NormalQuantile(double p) {
  if (p > 0.5) return -NormalQuantile(1 - p);
  // A start within 5e-4 (Abramowitz and Stegun, 26.2.23), then Halley's method on NormalCdf, which triples the digits.
  const double t = std::sqrt(-2 * std::log(p));
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (int i = 0; i < 3; ++i) {
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double newton = (NormalCdf(x) - p) / density;
    x -= newton / (1 + x * newton / 2);
  }
  return x;
}

}  // namespace heterosis
