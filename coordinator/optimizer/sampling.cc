// SPDX-License-Identifier: Apache-2.0
// Implements sampling.h.
#include "coordinator/optimizer/sampling.h"

#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

namespace heterosis {
namespace {

// Candidates 0 and 1 at mean +- d: the last move's direction, as long as a random step (a normal vector) is.
void PlaceMirrored(const CmaSettings& settings, const EvolutionState& state, const NormalSource& normals,
                   double move_length, Matrix& candidates) {
  const size_t n = state.mean.size();
  std::vector<double> z(n);
  normals(0, 0, z);
  const double stretch = state.sigma * std::sqrt(Dot(z, z)) / move_length;
  for (size_t i = 0; i < n; ++i) {
    candidates.row(0)[i] = state.mean[i] + stretch * state.last_move[i];
    candidates.row(1)[i] = state.mean[i] - stretch * state.last_move[i];
  }
  settings.box.Clip(candidates.row(0));
  settings.box.Clip(candidates.row(1));
}

// One draw for each of the `pending` candidates: one product for them all.
void Draw(const EvolutionState& state, const CovarianceRoot& root, const NormalSource& normals, int attempt,
          const std::vector<size_t>& pending, Matrix& candidates) {
  Matrix z(pending.size(), state.mean.size());
  for (size_t i = 0; i < pending.size(); ++i) normals(pending[i], attempt, z.row(i));
  const Matrix y = root(std::move(z));
  for (size_t i = 0; i < pending.size(); ++i) {
    const std::span<double> x = candidates.row(pending[i]);
    for (size_t j = 0; j < x.size(); ++j) x[j] = state.mean[j] + state.sigma * y.row(i)[j];
  }
}

}  // namespace

Matrix SampleWithin(const CmaSettings& settings, const EvolutionState& state, double move_length,
                    const CovarianceRoot& root, const NormalSource& normals) {
  const size_t population = static_cast<size_t>(settings.constants.population);
  Matrix candidates(population, state.mean.size());
  const size_t mirrored = move_length > 0 ? 2 : 0;
  if (mirrored > 0) PlaceMirrored(settings, state, normals, move_length, candidates);

  std::vector<size_t> pending(population - mirrored);
  std::iota(pending.begin(), pending.end(), mirrored);
  for (int attempt = 0; attempt < settings.resampling_max && !pending.empty(); ++attempt) {
    Draw(state, root, normals, attempt, pending, candidates);
    std::erase_if(pending, [&](size_t candidate) { return settings.box.Contains(candidates.row(candidate)); });
  }
  if (!pending.empty()) Draw(state, root, normals, settings.resampling_max, pending, candidates);
  for (const size_t candidate : pending) settings.box.Clip(candidates.row(candidate));
  return candidates;
}

}  // namespace heterosis
