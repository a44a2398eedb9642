// SPDX-License-Identifier: Apache-2.0
// Implements cma_core.h but for the sampling (cma_sampling.cc).
#include "coordinator/optimizer/cma_core.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "coordinator/optimizer/ranking.h"
#include "coordinator/optimizer/step_size.h"

namespace heterosis {
namespace {

constexpr double kEps = 1e-8;  // the `cmaes` package's
// The package's limit above; below, a search that has converged must not underflow to zero.
constexpr double kSigmaMin = 1e-50;
constexpr double kSigmaMax = 1e32;

// The generation's steps, best candidate first.
struct Steps {
  Matrix y;                     // (x - m) / sigma
  Matrix whitened;              // C^(-1/2) y
  std::vector<double> weights;  // the ranks' weights, 0 for a candidate that is spared
};

Steps RankedSteps(const CmaSettings& settings, const CmaState& state, const Matrix& candidates,
                  std::span<const size_t> ranking, size_t injected) {
  const size_t n = state.mean.size();
  Steps steps{Matrix(ranking.size(), n), {}, settings.constants.weights};
  for (size_t i = 0; i < ranking.size(); ++i) {
    const std::span<const double> x = candidates.row(ranking[i]);
    for (size_t j = 0; j < n; ++j) steps.y.row(i)[j] = (x[j] - state.mean[j]) / state.sigma;
    if (settings.spare_clipped && settings.box.OnBoundary(x)) steps.weights[i] = std::max(steps.weights[i], 0.0);
  }
  steps.whitened = ApplyInverseRoot(state.eigen, steps.y);

  const double dimension = static_cast<double>(n);
  const double length_max = std::sqrt(dimension) + 2 * dimension / (dimension + 2);
  for (size_t i = 0; i < ranking.size(); ++i) {
    if (ranking[i] >= injected) continue;
    const double length = std::sqrt(Dot(steps.whitened.row(i), steps.whitened.row(i)));
    if (length <= length_max) continue;
    for (double& value : steps.y.row(i)) value *= length_max / length;
    for (double& value : steps.whitened.row(i)) value *= length_max / length;
  }
  return steps;
}

// The weighted sum of the parents' rows (eq. 41).
std::vector<double> Recombine(const CmaConstants& k, const Matrix& rows) {
  std::vector<double> sum(rows.columns);
  for (size_t i = 0; i < static_cast<size_t>(k.parents); ++i) {
    for (size_t j = 0; j < rows.columns; ++j) sum[j] += k.weights[i] * rows.row(i)[j];
  }
  return sum;
}

void FollowPath(double rate, double step_factor, std::span<const double> step, std::span<double> path) {
  for (size_t i = 0; i < path.size(); ++i) path[i] = (1 - rate) * path[i] + step_factor * step[i];
}

void AdaptStepSize(const CmaSettings& settings, std::span<const Evaluation> evaluations, double path_length,
                   CmaState& state) {
  double factor = 1;
  if (!settings.two_point) {
    factor = CsaFactor(settings.constants, path_length);
  } else if (!state.last_move.empty()) {
    state.tpa_smoothed = TpaSmoothed(state.tpa_smoothed, TpaSignal(evaluations));
    factor = TpaFactor(settings.constants, state.tpa_smoothed);
  }
  state.sigma = std::clamp(state.sigma * factor, kSigmaMin, kSigmaMax);
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
    const std::span<const double> whitened = steps.whitened.row(i);
    const double weight =
        add ? steps.weights[i] : -steps.weights[i] * static_cast<double>(n) / (Dot(whitened, whitened) + kEps);
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
  CmaState state;
  state.mean = std::move(mean);
  state.sigma = sigma;
  state.p_sigma.assign(n, 0);
  state.p_c.assign(n, 0);
  state.c = Matrix::Identity(n);
  state.eigen = EigenBasis::Identity(n);
  return state;
}

void UpdateState(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                 size_t injected, CmaState& state) {
  const CmaConstants& k = settings.constants;
  const std::vector<size_t> ranking = Ranking(evaluations);
  const Steps steps = RankedSteps(settings, state, candidates, ranking, injected);
  ++state.generation;

  const std::vector<double> move = Recombine(k, steps.y);
  for (size_t i = 0; i < move.size(); ++i) state.mean[i] += state.sigma * move[i];
  settings.box.Clip(state.mean);  // against rounding only: the mean is a weighted average of points in the box

  FollowPath(k.c_sigma, std::sqrt(k.c_sigma * (2 - k.c_sigma) * k.mu_eff), Recombine(k, steps.whitened), state.p_sigma);
  const double path_length = std::sqrt(Dot(state.p_sigma, state.p_sigma));
  AdaptStepSize(settings, evaluations, path_length, state);

  // h_sigma stalls the rank-one path while the step size is about to grow (tutorial, page 28).
  const double warm_up = std::sqrt(1 - std::pow(1 - k.c_sigma, 2.0 * static_cast<double>(state.generation + 1)));
  const double h_sigma = path_length / warm_up < (1.4 + 2.0 / (k.dimension + 1)) * k.chi_n ? 1 : 0;
  FollowPath(k.c_c, h_sigma * std::sqrt(k.c_c * (2 - k.c_c) * k.mu_eff), move, state.p_c);  // eq. 45
  AdaptCovariance(k, steps, h_sigma, state);

  if (settings.two_point) state.last_move = move;
  if (static_cast<double>(state.generation - state.eigen_generation) >= k.eigen_gap) RefreshEigen(state);
}

}  // namespace heterosis
