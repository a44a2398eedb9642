// SPDX-License-Identifier: Apache-2.0
// Implements evolution.h.
#include "coordinator/optimizer/evolution.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/options.h"
#include "coordinator/optimizer/step_size.h"

namespace heterosis {
namespace {

// The package's limit above; below, a search that has converged must not underflow to zero.
constexpr double kSigmaMin = 1e-50;
constexpr double kSigmaMax = 1e32;

// path <- (1 - rate) path + step_factor step.
void FollowPath(double rate, double step_factor, std::span<const double> step, std::span<double> path) {
  for (size_t i = 0; i < path.size(); ++i) path[i] = (1 - rate) * path[i] + step_factor * step[i];
}

void AdaptStepSize(const CmaSettings& settings, std::span<const Evaluation> evaluations, double path_length,
                   EvolutionState& state) {
  double factor = 1;
  if (!settings.two_point) {
    factor = CsaFactor(settings.constants, path_length);
  } else if (!state.last_move.empty()) {
    state.tpa_smoothed = TpaSmoothed(state.tpa_smoothed, TpaSignal(evaluations));
    factor = TpaFactor(settings.constants, state.tpa_smoothed);
  }
  state.sigma = std::clamp(state.sigma * factor, kSigmaMin, kSigmaMax);
}

// `generation`: how many were told, this one included.
double HeavisideSigma(const CmaConstants& k, int64_t generation, double path_length) {
  const double warm_up = std::sqrt(1 - std::pow(1 - k.c_sigma, 2.0 * static_cast<double>(generation + 1)));
  return path_length / warm_up < (1.4 + 2.0 / (k.dimension + 1)) * k.chi_n ? 1 : 0;
}

}  // namespace

CmaSettings MakeCmaSettings(const OptimizerOptions& resolved, CmaConstants constants) {
  CmaSettings settings;
  settings.constants = std::move(constants);
  settings.box = BoxOf(resolved);
  settings.two_point = resolved.step_size == OptimizerOptions::StepSize::kTpa;
  settings.spare_clipped = resolved.bounds == OptimizerOptions::Bounds::kClip;
  if (resolved.bounds == OptimizerOptions::Bounds::kResample) settings.resampling_max = resolved.max_resampling;
  return settings;
}

EvolutionState InitialEvolution(std::vector<double> mean, double sigma) {
  EvolutionState state;
  state.p_sigma.assign(mean.size(), 0);
  state.p_c.assign(mean.size(), 0);
  state.mean = std::move(mean);
  state.sigma = sigma;
  return state;
}

double PathFactor(double rate, double mu_eff) {
  return std::sqrt(rate * (2 - rate) * mu_eff);
}

std::vector<double> Recombine(const CmaConstants& constants, const Matrix& steps) {
  std::vector<double> sum(steps.columns);
  for (size_t i = 0; i < static_cast<size_t>(constants.parents); ++i) {
    const std::span<const double> row = steps.row(i);
    for (size_t j = 0; j < sum.size(); ++j) sum[j] += constants.weights[i] * row[j];
  }
  return sum;
}

double MoveEvolution(const CmaSettings& settings, std::span<const Evaluation> evaluations, std::vector<double> move,
                     std::span<const double> whitened, EvolutionState& state) {
  const CmaConstants& k = settings.constants;
  ++state.generation;
  for (size_t i = 0; i < move.size(); ++i) state.mean[i] += state.sigma * move[i];
  settings.box.Clip(state.mean);  // against rounding only: the mean is a weighted average of points in the box

  FollowPath(k.c_sigma, PathFactor(k.c_sigma, k.mu_eff), whitened, state.p_sigma);
  const double path_length = std::sqrt(Dot(state.p_sigma, state.p_sigma));
  AdaptStepSize(settings, evaluations, path_length, state);
  const double h_sigma = HeavisideSigma(k, state.generation, path_length);
  FollowPath(k.c_c, h_sigma * PathFactor(k.c_c, k.mu_eff), move, state.p_c);  // eq. 45
  if (settings.two_point) state.last_move = std::move(move);
  return h_sigma;
}

double InjectedLengthMax(size_t dimension) {
  const double n = static_cast<double>(dimension);
  return std::sqrt(n) + 2 * n / (n + 2);
}

void WriteEvolution(const EvolutionState& state, SnapshotWriter& writer) {
  writer.Uint64(static_cast<uint64_t>(state.generation));
  writer.Doubles(state.mean);
  writer.Double(state.sigma);
  writer.Doubles(state.p_sigma);
  writer.Doubles(state.p_c);
  writer.Double(state.tpa_smoothed);
  writer.Doubles(state.last_move);
}

absl::Status ReadEvolution(size_t dimension, SnapshotReader& reader, EvolutionState& state) {
  state.generation = static_cast<int64_t>(reader.Uint64());
  state.mean = reader.Doubles();
  state.sigma = reader.Double();
  state.p_sigma = reader.Doubles();
  state.p_c = reader.Doubles();
  state.tpa_smoothed = reader.Double();
  state.last_move = reader.Doubles();
  RETURN_IF_ERROR(reader.status());
  const bool fits = state.mean.size() == dimension && state.p_sigma.size() == dimension &&
                    state.p_c.size() == dimension && (state.last_move.empty() || state.last_move.size() == dimension);
  return fits ? absl::OkStatus() : absl::DataLossError("optimizer snapshot is damaged: a field has the wrong size");
}

}  // namespace heterosis
