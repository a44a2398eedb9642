// SPDX-License-Identifier: Apache-2.0
// Implements cma_constants.h.
#include "coordinator/optimizer/cma_constants.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace heterosis {
namespace {

// (sum w)^2 / sum w^2.
double EffectiveCount(std::span<const double> weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  return sum * sum / std::inner_product(weights.begin(), weights.end(), weights.begin(), 0.0);
}

// Eq. 53: positive weights sum to 1; negative ones to minus the least of the three limits of eq. 50 to 52.
std::vector<double> Weights(const CmaConstants& k, std::vector<double> raw) {
  const double n = k.dimension;
  const double mu_eff_minus = EffectiveCount(std::span(raw).subspan(static_cast<size_t>(k.parents)));
  const double negative_limit = std::min({1 + k.c1 / k.c_mu,                      // eq. 50
                                          1 + 2 * mu_eff_minus / (k.mu_eff + 2),  // eq. 51
                                          (1 - k.c1 - k.c_mu) / (n * k.c_mu)});   // eq. 52
  double positive_sum = 0;
  double negative_sum = 0;
  for (const double w : raw) (w > 0 ? positive_sum : negative_sum) += std::abs(w);
  for (double& w : raw) w *= w >= 0 ? 1 / positive_sum : negative_limit / negative_sum;
  return raw;
}

}  // namespace

CmaConstants MakeCmaConstants(int dimension, int population) {
  CmaConstants k;
  k.dimension = dimension;
  k.population = population;
  k.parents = population / 2;
  std::vector<double> raw(static_cast<size_t>(population));  // eq. 49
  for (size_t i = 0; i < raw.size(); ++i) {
    raw[i] = std::log((population + 1) / 2.0) - std::log(static_cast<double>(i + 1));
  }
  k.mu_eff = EffectiveCount(std::span(raw).first(static_cast<size_t>(k.parents)));

  const double n = dimension;
  const double mu = k.mu_eff;
  k.c1 = 2 / ((n + 1.3) * (n + 1.3) + mu);
  k.c_mu = std::min(1 - k.c1 - 1e-8, 2 * (mu - 2 + 1 / mu) / ((n + 2) * (n + 2) + mu));
  k.c_sigma = (mu + 2) / (n + mu + 5);  // eq. 55
  k.d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mu - 1) / (n + 1)) - 1) + k.c_sigma;
  k.c_c = (4 + mu / n) / (n + 4 + 2 * mu / n);  // eq. 56
  k.chi_n = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  k.weights = Weights(k, std::move(raw));
  k.eigen_gap = 1 / ((k.c1 + k.c_mu) * n * 10);
  k.tpa_damping = TpaDamping(dimension, population);
  return k;
}

double TpaDamping(int dimension, int population) {
  return 0.7 + 2 * std::log(dimension) + 2 * std::log(std::max(1, population - dimension));
}

}  // namespace heterosis
