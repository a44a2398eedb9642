// SPDX-License-Identifier: Apache-2.0
// Implements cma_core.h.
#include "coordinator/optimizer/cma_core.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

constexpr double kEps = 1e-8;  // the `cmaes` package's

// The generation's steps, best candidate first.
struct Steps {
  Matrix y;                     // (x - m) / sigma
  std::vector<double> weights;  // the ranks' weights, 0 for a candidate that is spared
  std::vector<double> squares;  // |C^(-1/2) y|^2 where that is needed: of injected points and under negative weights
};

Steps RankedSteps(const CmaSettings& settings, const CmaState& state, const Matrix& candidates,
                  std::span<const size_t> ranking, size_t injected) {
  const size_t n = state.mean.size();
  Steps steps{Matrix(ranking.size(), n), settings.constants.weights, std::vector<double>(ranking.size())};
  std::vector<size_t> measured;
  for (size_t i = 0; i < ranking.size(); ++i) {
    const std::span<const double> x = candidates.row(ranking[i]);
    for (size_t j = 0; j < n; ++j) steps.y.row(i)[j] = (x[j] - state.mean[j]) / state.sigma;
    if (settings.spare_clipped && settings.box.OnBoundary(x)) steps.weights[i] = std::max(steps.weights[i], 0.0);
    if (ranking[i] < injected || steps.weights[i] < 0) measured.push_back(i);
  }
  Matrix rows(measured.size(), n);
  for (size_t k = 0; k < measured.size(); ++k) {
    const std::span<const double> y = steps.y.row(measured[k]);
    for (size_t j = 0; j < n; ++j) rows.row(k)[j] = y[j];
  }
  const std::vector<double> squares = WhitenedSquares(state.eigen, rows);
  for (size_t k = 0; k < measured.size(); ++k) steps.squares[measured[k]] = squares[k];

  const double length_max = InjectedLengthMax(n);
  for (size_t i = 0; i < ranking.size(); ++i) {
    const double length = std::sqrt(steps.squares[i]);
    if (ranking[i] >= injected || length <= length_max) continue;
    for (double& value : steps.y.row(i)) value *= length_max / length;
    steps.squares[i] = length_max * length_max;
  }
  return steps;
}

// Eq. 47 with the active weights of eq. 46. In plain form, with w the rank's weight, or for a negative one
// w n / (|C^(-1/2) y|^2 + eps):
//   C <- (1 + c1 (1 - h) c_c (2 - c_c) - c1 - c_mu sum w) C + c1 p_c p_c^T + c_mu sum w y y^T
void AdaptCovariance(const CmaConstants& k, const Steps& steps, double h_sigma, CmaState& state) {
  const size_t n = state.mean.size();
  const double weight_sum = std::accumulate(steps.weights.begin(), steps.weights.end(), 0.0);
  const size_t positive =
      static_cast<size_t>(std::count_if(steps.weights.begin(), steps.weights.end(), [](double w) { return w > 0; }));
  Matrix plus(positive + 1, n);  // and p_c
  Matrix minus(steps.weights.size() - positive, n);
  for (size_t i = 0; i < steps.weights.size(); ++i) {
    const bool add = i < positive;
    const double weight =
        add ? steps.weights[i] : -steps.weights[i] * static_cast<double>(n) / (steps.squares[i] + kEps);
    const double root = std::sqrt(k.c_mu * weight);
    const std::span<double> row = add ? plus.row(i) : minus.row(i - positive);
    for (size_t j = 0; j < n; ++j) row[j] = root * steps.y.row(i)[j];
  }
  for (size_t j = 0; j < n; ++j) plus.row(positive)[j] = std::sqrt(k.c1) * state.p_c[j];

  const double decay = 1 + k.c1 * (1 - h_sigma) * k.c_c * (2 - k.c_c) - k.c1 - k.c_mu * weight_sum;
  UpdateUpperTriangle(decay, 1, plus, state.c);
  UpdateUpperTriangle(1, -1, minus, state.c);
}

// Where the decomposition fails, the last good one stands, and C goes back to it.
void RefreshEigen(CmaState& state) {
  bool clamped = false;
  const bool failed = !Decompose(state.c, state.eigen, clamped).ok();
  if (failed || clamped) state.c = Compose(state.eigen);
  state.eigen_generation = state.generation;
}

}  // namespace

CmaState InitialCmaState(std::vector<double> mean, double sigma) {
  const size_t n = mean.size();
  CmaState state{InitialEvolution(std::move(mean), sigma), {}, {}, 0};
  state.c = Matrix::Identity(n);
  state.eigen = EigenBasis::Identity(n);
  return state;
}

Matrix SampleCandidates(const CmaSettings& settings, const CmaState& state, const NormalSource& normals) {
  double move_length = 0;
  if (settings.two_point && !state.last_move.empty()) {
    const std::vector<double> whitened = ApplyInverseRoot(state.eigen, state.last_move);
    move_length = std::sqrt(Dot(whitened, whitened));
  }
  return SampleWithin(
      settings, state, move_length, [&](Matrix z) { return ApplyRoot(state.eigen, z); }, normals);
}

void UpdateState(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                 size_t injected, CmaState& state) {
  const CmaConstants& k = settings.constants;
  const std::vector<size_t> ranking = Ranking(evaluations);
  const Steps steps = RankedSteps(settings, state, candidates, ranking, injected);

  const std::vector<double> move = Recombine(k, steps.y);
  const double h_sigma = MoveEvolution(settings, evaluations, move, ApplyInverseRoot(state.eigen, move), state);
  AdaptCovariance(k, steps, h_sigma, state);
  if (static_cast<double>(state.generation - state.eigen_generation) >= k.eigen_gap) RefreshEigen(state);
}

}  // namespace heterosis
