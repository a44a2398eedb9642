// SPDX-License-Identifier: Apache-2.0
// Implements cma_margin.h.
#include "coordinator/optimizer/cma_margin.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/options.h"

namespace heterosis {
namespace {

CmaSettings SettingsOf(const OptimizerOptions& options, const GeneGrid& grid) {
  CmaSettings settings = MakeCmaSettings(options, MakeCmaConstants(options.dimension, options.population));
  settings.box = grid.WithoutDiscrete(settings.box);
  return settings;
}

}  // namespace

CmaMargin::CmaMargin(OptimizerOptions options)
    : options_(std::move(options)),
      grid_(options_),
      settings_(SettingsOf(options_, grid_)),
      state_(InitialCmaState(options_.mean, options_.sigma)),
      margin_{std::vector<double>(options_.mean.size(), 1.0)} {
  Sample();
}

CmaMargin::CmaMargin(OptimizerOptions options, CmaState state, MarginState margin, Matrix drawn)
    : options_(std::move(options)),
      grid_(options_),
      settings_(SettingsOf(options_, grid_)),
      state_(std::move(state)),
      margin_(std::move(margin)),
      drawn_(std::move(drawn)) {}

absl::StatusOr<std::unique_ptr<Optimizer>> CmaMargin::Restore(OptimizerOptions options, SnapshotReader& reader) {
  const size_t n = static_cast<size_t>(options.dimension);
  ASSIGN_OR_RETURN(CmaState state, ReadCmaState(n, reader));
  ASSIGN_OR_RETURN(Matrix scales, ReadMatrix(1, n, reader));
  ASSIGN_OR_RETURN(Matrix drawn, ReadMatrix(static_cast<size_t>(options.population), n, reader));
  RETURN_IF_ERROR(reader.Finish());
  return std::unique_ptr<Optimizer>(
      new CmaMargin(std::move(options), std::move(state), {std::move(scales.values)}, std::move(drawn)));
}

std::string CmaMargin::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  WriteCmaState(state_, writer);
  writer.Doubles(margin_.scales);
  writer.Doubles(drawn_.values);
  return std::move(writer).Seal();
}

std::vector<std::vector<double>> CmaMargin::Ask() const {
  std::vector<std::vector<double>> genomes = RowsOf(drawn_);
  for (std::vector<double>& genome : genomes) PutOnGrid(grid_, margin_, state_.mean, genome);
  return genomes;
}

std::vector<double> CmaMargin::mean() const {
  std::vector<double> genome = state_.mean;
  PutOnGrid(grid_, margin_, state_.mean, genome);
  return genome;
}

absl::Status CmaMargin::Tell(std::span<const Evaluation> evaluations) {
  RETURN_IF_ERROR(CheckCount(evaluations, options_.population));
  if (AnyValid(evaluations)) {
    UpdateState(settings_, drawn_, evaluations, InjectedCount(options_, state_.generation), state_);
    const double least = 1.0 / (static_cast<double>(options_.dimension) * options_.population);  // the package's
    KeepMargin(grid_, least, state_, margin_);
  } else {
    ++state_.generation;
  }
  Sample();
  return absl::OkStatus();
}

void CmaMargin::Sample() {
  drawn_ = SampleCandidates(settings_, state_, KeyedNormals(options_, state_.generation));
  PlaceInjected(options_, state_.generation, drawn_);
}

}  // namespace heterosis
