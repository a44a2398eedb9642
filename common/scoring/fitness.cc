// SPDX-License-Identifier: Apache-2.0
// Implements fitness.h.
#include "common/scoring/fitness.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace heterosis {
namespace {

constexpr double kNormalQuantile = 1.959963984540054;  // of 0.975

// P(X <= k) for X ~ Binomial(n, 1/2).
double FairCoinTail(int k, int n) {
  double sum = 0;
  for (int i = 0; i <= k; ++i) {
    // log(n choose i) - n log 2: the terms themselves overflow from n = 1030 on.
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) - n * std::log(2.0));
  }
  return sum;
}

}  // namespace

double Accuracy(std::span<const SampleResult> samples) {
  if (samples.empty()) return 0;
  const auto correct =
      std::count_if(samples.begin(), samples.end(), [](const SampleResult& sample) { return sample.correct; });
  return static_cast<double>(correct) / static_cast<double>(samples.size());
}

Interval WilsonInterval(int correct, int total) {
  if (total == 0) return {};
  const double n = total;
  const double share = correct / n;
  const double z2 = kNormalQuantile * kNormalQuantile;
  const double center = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormalQuantile / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  // At the ends the bound is exactly 0 or 1; rounding would leave it a little off.
  return {correct == 0 ? 0 : std::max(0.0, center - half), correct == total ? 1 : std::min(1.0, center + half)};
}

std::vector<size_t> RankScores(std::span<const double> scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (std::isnan(scores[a]) || std::isnan(scores[b])) return !std::isnan(scores[a]) && std::isnan(scores[b]);
    return scores[a] > scores[b];
  });
  return order;
}

PairedComparison ComparePaired(std::span<const SampleResult> first, std::span<const SampleResult> second) {
  assert(first.size() == second.size());
  PairedComparison comparison;
  for (size_t i = 0; i < first.size(); ++i) {
    assert(first[i].sample == second[i].sample);
    if (first[i].correct && !second[i].correct) ++comparison.only_first;
    if (!first[i].correct && second[i].correct) ++comparison.only_second;
  }
  const int rarer = std::min(comparison.only_first, comparison.only_second);
  comparison.p_value = std::min(1.0, 2 * FairCoinTail(rarer, comparison.only_first + comparison.only_second));
  return comparison;
}

}  // namespace heterosis
