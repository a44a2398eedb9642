// SPDX-License-Identifier: Apache-2.0
// Implements sep_cma.h.
#include "coordinator/optimizer/sep_cma.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/options.h"

namespace heterosis {
namespace {

CmaSettings SettingsOf(const OptimizerOptions& options) {
  return MakeCmaSettings(options, MakeSepCmaConstants(options.dimension, options.population));
}

}  // namespace

SepCma::SepCma(OptimizerOptions options)
    : options_(std::move(options)),
      settings_(SettingsOf(options_)),
      state_(InitialSepCmaState(options_.mean, options_.sigma)) {
  Sample();
}

SepCma::SepCma(OptimizerOptions options, SepCmaState state, Matrix candidates)
    : options_(std::move(options)),
      settings_(SettingsOf(options_)),
      state_(std::move(state)),
      candidates_(std::move(candidates)) {}

absl::StatusOr<std::unique_ptr<Optimizer>> SepCma::Restore(OptimizerOptions options, SnapshotReader& reader) {
  const size_t n = static_cast<size_t>(options.dimension);
  ASSIGN_OR_RETURN(SepCmaState state, ReadSepCmaState(n, reader));
  ASSIGN_OR_RETURN(Matrix candidates, ReadMatrix(static_cast<size_t>(options.population), n, reader));
  RETURN_IF_ERROR(reader.Finish());
  return std::unique_ptr<Optimizer>(new SepCma(std::move(options), std::move(state), std::move(candidates)));
}

std::string SepCma::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  WriteSepCmaState(state_, writer);
  writer.Doubles(candidates_.values);
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> SepCma::Ask() const {
  return RowsOf(candidates_);
}

absl::Status SepCma::Tell(std::span<const Evaluation> evaluations) {
  RETURN_IF_ERROR(CheckCount(evaluations, options_.population));
  if (AnyValid(evaluations)) {
    UpdateSepCma(settings_, candidates_, evaluations, InjectedCount(options_, state_.generation), state_);
  } else {
    ++state_.generation;
  }
  Sample();
  return absl::OkStatus();
}

void SepCma::Sample() {
  candidates_ = SampleSepCma(settings_, state_, KeyedNormals(options_, state_.generation));
  PlaceInjected(options_, state_.generation, candidates_);
}

}  // namespace heterosis
