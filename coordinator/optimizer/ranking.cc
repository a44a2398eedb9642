// SPDX-License-Identifier: Apache-2.0
// Implements ranking.h.
#include "coordinator/optimizer/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace heterosis {

bool IsValid(const Evaluation& evaluation) {
  return evaluation.valid && std::isfinite(evaluation.fitness);
}

std::vector<size_t> Ranking(std::span<const Evaluation> evaluations) {
  std::vector<size_t> order(evaluations.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const bool valid_a = IsValid(evaluations[a]);
    const bool valid_b = IsValid(evaluations[b]);
    if (valid_a != valid_b) return valid_a;
    return valid_a && evaluations[a].fitness > evaluations[b].fitness;
  });
  return order;
}

}  // namespace heterosis
