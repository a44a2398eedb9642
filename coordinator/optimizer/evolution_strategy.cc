// SPDX-License-Identifier: Apache-2.0
// Implements evolution_strategy.h.
#include "coordinator/optimizer/evolution_strategy.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"
#include "coordinator/optimizer/options.h"

namespace heterosis {

std::vector<std::vector<double>> EvolutionStrategy::Ask() const {
  std::vector<std::vector<double>> genomes = RowsOf(candidates_);
  for (std::vector<double>& genome : genomes) ToGenome(genome);
  return genomes;
}

std::vector<double> EvolutionStrategy::mean() const {
  std::vector<double> genome = evolution().mean;
  ToGenome(genome);
  return genome;
}

absl::Status EvolutionStrategy::Tell(std::span<const Evaluation> evaluations) {
  RETURN_IF_ERROR(CheckCount(evaluations, options_.population));
  if (AnyValid(evaluations)) {
    Learn(candidates_, evaluations, InjectedCount(options_, generation()));
  } else {
    ++evolution().generation;
  }
  Sample();
  return absl::OkStatus();
}

void EvolutionStrategy::Sample() {
  candidates_ = Draw(KeyedNormals(options_, generation()));
  PlaceInjected(options_, generation(), candidates_);
}

std::string EvolutionStrategy::Snapshot() const {
  SnapshotWriter writer;
  WriteOptions(options_, writer);
  WriteState(writer);
  writer.Doubles(candidates_.values);
  return std::move(writer).Seal();
}

absl::Status EvolutionStrategy::ReadCandidates(SnapshotReader& reader) {
  const size_t rows = static_cast<size_t>(options_.population), columns = static_cast<size_t>(options_.dimension);
  ASSIGN_OR_RETURN(candidates_, ReadMatrix(rows, columns, reader));
  return reader.Finish();
}

}  // namespace heterosis
