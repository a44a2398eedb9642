// SPDX-License-Identifier: Apache-2.0
// Implements cma.h.
#include "coordinator/optimizer/cma.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/options.h"

namespace heterosis {
namespace {

CmaSettings SettingsOf(const OptimizerOptions& options) {
  return MakeCmaSettings(options, MakeCmaConstants(options.dimension, options.population));
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
  ASSIGN_OR_RETURN(CmaState state, ReadCmaState(n, reader));
  // Stored, not sampled again: they are what was handed out, also where another machine rounds otherwise.
  ASSIGN_OR_RETURN(Matrix candidates, ReadMatrix(static_cast<size_t>(options.population), n, reader));
  RETURN_IF_ERROR(reader.Finish());
  CmaSettings settings = SettingsOf(options);
  return std::unique_ptr<Optimizer>(
      new Cma(std::move(options), std::move(settings), std::move(state), std::move(candidates)));
}

std::string Cma::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  WriteCmaState(state_, writer);
  writer.Doubles(candidates_.values);
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> Cma::Ask() const {
  return RowsOf(candidates_);
}

absl::Status Cma::Tell(std::span<const Evaluation> evaluations) {
  RETURN_IF_ERROR(CheckCount(evaluations, options_.population));
  if (AnyValid(evaluations)) {
    UpdateState(settings_, candidates_, evaluations, InjectedCount(options_, state_.generation), state_);
  } else {
    ++state_.generation;
  }
  Sample();
  return absl::OkStatus();
}

void Cma::Sample() {
  candidates_ = SampleCandidates(settings_, state_, KeyedNormals(options_, state_.generation));
  PlaceInjected(options_, state_.generation, candidates_);
}

}  // namespace heterosis
