// SPDX-License-Identifier: Apache-2.0
// Implements step_size.h.
#include "coordinator/optimizer/step_size.h"

#include <algorithm>
#include <cmath>

#include "coordinator/optimizer/ranking.h"

namespace heterosis {

double CsaFactor(const CmaConstants& constants, double path_length) {
  return std::exp(constants.c_sigma / constants.d_sigma * (path_length / constants.chi_n - 1));
}

double TpaSignal(std::span<const Evaluation> evaluations) {
  if (!IsValid(evaluations[0]) || !IsValid(evaluations[1])) return 0;
  const auto better_than = [&](double fitness) {
    return std::count_if(evaluations.begin(), evaluations.end(),
                         [&](const Evaluation& other) { return IsValid(other) && other.fitness > fitness; });
  };
  const auto lead = better_than(evaluations[1].fitness) - better_than(evaluations[0].fitness);
  return static_cast<double>(lead) / static_cast<double>(evaluations.size() - 1);
}

double TpaSmoothed(double smoothed, double signal) {
  constexpr double kLearningRate = 0.3;
  return (1 - kLearningRate) * smoothed + kLearningRate * std::copysign(std::sqrt(std::abs(signal)), signal);
}

double TpaFactor(const CmaConstants& constants, double smoothed) {
  return std::exp(smoothed / constants.tpa_damping);
}

}  // namespace heterosis
