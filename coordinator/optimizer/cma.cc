// SPDX-License-Identifier: Apache-2.0
// Implements cma.h.
#include "coordinator/optimizer/cma.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/options.h"
#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

CmaSettings SettingsOf(const OptimizerOptions& options) {
  CmaSettings settings;
  settings.constants = MakeCmaConstants(options.dimension, options.population);
  settings.box = BoxOf(options);
  settings.two_point = options.step_size == OptimizerOptions::StepSize::kTpa;
  settings.spare_clipped = options.bounds == OptimizerOptions::Bounds::kClip;
  if (options.bounds == OptimizerOptions::Bounds::kResample) settings.resampling_max = options.max_resampling;
  return settings;
}

// The upper triangle row by row: half of what a full matrix takes.
std::vector<double> PackUpper(const Matrix& c) {
  std::vector<double> packed;
  packed.reserve(c.rows * (c.rows + 1) / 2);
  for (size_t i = 0; i < c.rows; ++i) {
    const std::span<const double> upper = c.row(i).subspan(i);
    packed.insert(packed.end(), upper.begin(), upper.end());
  }
  return packed;
}

// `packed` must hold n (n + 1) / 2 values.
Matrix UnpackUpper(std::span<const double> packed, size_t n) {
  Matrix c(n, n);
  for (size_t i = 0; i < n; ++i) {
    std::copy_n(packed.begin(), n - i, c.row(i).begin() + static_cast<std::ptrdiff_t>(i));
    packed = packed.subspan(n - i);
  }
  return c;
}

void WriteState(const CmaState& state, SnapshotWriter& writer) {
  writer.Uint64(static_cast<uint64_t>(state.generation));
  writer.Doubles(state.mean);
  writer.Double(state.sigma);
  writer.Doubles(state.p_sigma);
  writer.Doubles(state.p_c);
  writer.Doubles(PackUpper(state.c));
  writer.Doubles(state.eigen.vectors.values);
  writer.Doubles(state.eigen.scales);
  writer.Uint64(static_cast<uint64_t>(state.eigen_generation));
  writer.Double(state.tpa_smoothed);
  writer.Doubles(state.last_move);
}

absl::StatusOr<CmaState> ReadState(size_t n, SnapshotReader& reader) {
  CmaState state;
  state.generation = static_cast<int64_t>(reader.Uint64());
  state.mean = reader.Doubles();
  state.sigma = reader.Double();
  state.p_sigma = reader.Doubles();
  state.p_c = reader.Doubles();
  const std::vector<double> upper = reader.Doubles();
  state.eigen.vectors = {};
  state.eigen.vectors.values = reader.Doubles();
  state.eigen.scales = reader.Doubles();
  state.eigen_generation = static_cast<int64_t>(reader.Uint64());
  state.tpa_smoothed = reader.Double();
  state.last_move = reader.Doubles();
  RETURN_IF_ERROR(reader.status());
  const bool fits = state.mean.size() == n && state.p_sigma.size() == n && state.p_c.size() == n &&
                    upper.size() == n * (n + 1) / 2 && state.eigen.vectors.values.size() == n * n &&
                    state.eigen.scales.size() == n && (state.last_move.empty() || state.last_move.size() == n);
  if (!fits) return absl::DataLossError("optimizer snapshot is damaged: a field has the wrong size");
  state.c = UnpackUpper(upper, n);
  state.eigen.vectors.rows = state.eigen.vectors.columns = n;
  return state;
}

}  // namespace

Cma::Cma(OptimizerOptions options)
    : options_(std::move(options)),
      settings_(SettingsOf(options_)),
      state_(InitialCmaState(options_.mean, options_.sigma)) {
  Sample();
}

Cma::Cma(OptimizerOptions options, CmaSettings settings, CmaState state, Matrix candidates)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      state_(std::move(state)),
      candidates_(std::move(candidates)) {}

absl::StatusOr<std::unique_ptr<Optimizer>> Cma::Restore(OptimizerOptions options, SnapshotReader& reader) {
  const size_t n = static_cast<size_t>(options.dimension);
  ASSIGN_OR_RETURN(CmaState state, ReadState(n, reader));
  // Stored, not sampled again: they are what was handed out, also where another machine rounds otherwise.
  Matrix candidates(static_cast<size_t>(options.population), n);
  const std::vector<double> values = reader.Doubles();
  RETURN_IF_ERROR(reader.Finish());
  if (values.size() != candidates.values.size()) {
    return absl::DataLossError("optimizer snapshot is damaged: its generation has the wrong size");
  }
  candidates.values = values;
  CmaSettings settings = SettingsOf(options);
  return std::unique_ptr<Optimizer>(
      new Cma(std::move(options), std::move(settings), std::move(state), std::move(candidates)));
}

std::string Cma::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  WriteState(state_, writer);
  writer.Doubles(candidates_.values);
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> Cma::Ask() const {
  std::vector<std::vector<double>> genomes;
  for (size_t i = 0; i < candidates_.rows; ++i) {
    const std::span<const double> row = candidates_.row(i);
    genomes.emplace_back(row.begin(), row.end());
  }
  return genomes;
}

absl::Status Cma::Tell(std::span<const Evaluation> evaluations) {
  if (evaluations.size() != candidates_.rows) {
    return absl::InvalidArgumentError(absl::StrCat("Tell needs the evaluations of all ", candidates_.rows,
                                                   " candidates, it was given ", evaluations.size()));
  }
  if (std::any_of(evaluations.begin(), evaluations.end(), IsValid)) {
    const size_t injected = state_.generation == 0 ? options_.injected.size() : 0;
    UpdateState(settings_, candidates_, evaluations, injected, state_);
  } else {
    ++state_.generation;
  }
  Sample();
  return absl::OkStatus();
}

void Cma::Sample() {
  candidates_ = SampleCandidates(settings_, state_, [&](size_t candidate, int attempt, std::span<double> z) {
    RandomStream stream(RandomKey({options_.seed, options_.phase, static_cast<uint64_t>(state_.generation), candidate,
                                   static_cast<uint64_t>(attempt)}));
    for (double& value : z) value = stream.NextNormal();
  });
  if (state_.generation != 0) return;
  for (size_t i = 0; i < options_.injected.size(); ++i) {
    std::copy(options_.injected[i].begin(), options_.injected[i].end(), candidates_.row(i).begin());
  }
}

}  // namespace heterosis
