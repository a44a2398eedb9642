// SPDX-License-Identifier: Apache-2.0
// Implements sep_cma_core.h.
#include "coordinator/optimizer/sep_cma_core.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

// A variance stays positive whatever is told: below this the gene has converged for good.
constexpr double kVarianceMin = 1e-100;

// C^(-1/2) of one step.
std::vector<double> Whitened(const std::vector<double>& variances, std::span<const double> step) {
  std::vector<double> whitened(step.begin(), step.end());
  for (size_t i = 0; i < whitened.size(); ++i) whitened[i] /= std::sqrt(variances[i]);
  return whitened;
}

double WhitenedLength(const std::vector<double>& variances, std::span<const double> step) {
  const std::vector<double> whitened = Whitened(variances, step);
  return std::sqrt(Dot(whitened, whitened));
}

// The parents' steps (x - m) / sigma, best first; those of injected points shortened.
Matrix ParentSteps(const CmaSettings& settings, const SepCmaState& state, const Matrix& candidates,
                   std::span<const size_t> ranking, size_t injected) {
  const size_t n = state.mean.size();
  Matrix y(static_cast<size_t>(settings.constants.parents), n);
  for (size_t i = 0; i < y.rows; ++i) {
    const std::span<const double> x = candidates.row(ranking[i]);
    for (size_t j = 0; j < n; ++j) y.row(i)[j] = (x[j] - state.mean[j]) / state.sigma;
    if (ranking[i] >= injected) continue;
    const double length = WhitenedLength(state.variances, y.row(i));
    if (length <= InjectedLengthMax(n)) continue;
    for (double& value : y.row(i)) value *= InjectedLengthMax(n) / length;
  }
  return y;
}

// Eq. 47 for a diagonal, without negative weights.
void AdaptVariances(const CmaConstants& k, const Matrix& y, double h_sigma, SepCmaState& state) {
  const double weight_sum = std::accumulate(k.weights.begin(), k.weights.end(), 0.0);
  const double decay = 1 + k.c1 * (1 - h_sigma) * k.c_c * (2 - k.c_c) - k.c1 - k.c_mu * weight_sum;
  std::vector<double> rank_mu(state.variances.size());
  for (size_t i = 0; i < y.rows; ++i) {
    const std::span<const double> row = y.row(i);
    for (size_t j = 0; j < row.size(); ++j) rank_mu[j] += k.weights[i] * (row[j] * row[j]);
  }
  for (size_t j = 0; j < rank_mu.size(); ++j) {
    const double next = decay * state.variances[j] + k.c1 * state.p_c[j] * state.p_c[j] + k.c_mu * rank_mu[j];
    state.variances[j] = std::max(next, kVarianceMin);
  }
}

}  // namespace

CmaConstants MakeSepCmaConstants(int dimension, int population) {
  CmaConstants k;
  k.dimension = dimension;
  k.population = population;
  k.parents = population / 2;
  k.weights.resize(static_cast<size_t>(k.parents));  // eq. 49
  for (size_t i = 0; i < k.weights.size(); ++i) {
    k.weights[i] = std::log(k.parents + 1.0) - std::log(static_cast<double>(i + 1));
  }
  const double sum = std::accumulate(k.weights.begin(), k.weights.end(), 0.0);
  for (double& w : k.weights) w /= sum;
  k.mu_eff = 1 / Dot(k.weights, k.weights);

  const double n = dimension;
  const double mu = k.mu_eff;
  const double root_two = std::sqrt(2.0);
  k.c1 = 2 / ((n + 1.3) * (n + 1.3) + mu);
  const double full = 2 / mu / ((n + root_two) * (n + root_two)) +
                      (1 - 1 / mu) * std::min(1.0, (2 * mu - 1) / ((n + 2) * (n + 2) + mu));
  // The package has no limit here, and with many candidates for few genes it forgets more than there is.
  k.c_mu = std::min(1 - k.c1, (n + 2) / 3 * full);
  k.c_sigma = (mu + 2) / (n + mu + 3);
  k.d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mu - 1) / (n + 1)) - 1) + k.c_sigma;
  k.c_c = 4 / (n + 4);
  k.chi_n = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  k.tpa_damping = TpaDamping(dimension, population);
  return k;
}

SepCmaState InitialSepCmaState(std::vector<double> mean, double sigma) {
  const size_t n = mean.size();
  return {InitialEvolution(std::move(mean), sigma), std::vector<double>(n, 1.0)};
}

Matrix SampleSepCma(const CmaSettings& settings, const SepCmaState& state, const NormalSource& normals) {
  std::vector<double> deviations(state.variances);
  for (double& value : deviations) value = std::sqrt(value);
  const bool mirrored = settings.two_point && !state.last_move.empty();
  const double move_length = mirrored ? WhitenedLength(state.variances, state.last_move) : 0;
  const auto root = [&](Matrix rows) {
    for (size_t i = 0; i < rows.rows; ++i) {
      const std::span<double> row = rows.row(i);
      for (size_t j = 0; j < row.size(); ++j) row[j] *= deviations[j];
    }
    return rows;
  };
  return SampleWithin(settings, state, move_length, root, normals);
}

void UpdateSepCma(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                  size_t injected, SepCmaState& state) {
  const CmaConstants& k = settings.constants;
  const std::vector<size_t> ranking = Ranking(evaluations);
  const Matrix y = ParentSteps(settings, state, candidates, ranking, injected);

  const std::vector<double> move = Recombine(k, y);
  const double h_sigma = MoveEvolution(settings, evaluations, move, Whitened(state.variances, move), state);
  AdaptVariances(k, y, h_sigma, state);
}

void WriteSepCmaState(const SepCmaState& state, SnapshotWriter& writer) {
  WriteEvolution(state, writer);
  writer.Doubles(state.variances);
}

absl::StatusOr<SepCmaState> ReadSepCmaState(size_t dimension, SnapshotReader& reader) {
  SepCmaState state;
  RETURN_IF_ERROR(ReadEvolution(dimension, reader, state));
  state.variances = reader.Doubles();
  RETURN_IF_ERROR(reader.status());
  if (state.variances.size() == dimension) return state;
  return absl::DataLossError("optimizer snapshot is damaged: a field has the wrong size");
}

}  // namespace heterosis
