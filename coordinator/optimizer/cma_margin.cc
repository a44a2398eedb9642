// SPDX-License-Identifier: Apache-2.0
// Implements cma_margin.h.
#include "coordinator/optimizer/cma_margin.h"

#include <utility>

#include "common/base/status.h"
#include "coordinator/optimizer/generation.h"

namespace heterosis {

CmaMargin::CmaMargin(OptimizerOptions resolved, CmaState state, MarginState margin)
    : EvolutionStrategy(std::move(resolved)),
      grid_(options()),
      settings_(MakeCmaSettings(options(), MakeCmaConstants(dimension(), population()))),
      state_(std::move(state)),
      margin_(std::move(margin)) {
  settings_.box = grid_.WithoutDiscrete(settings_.box);
}

CmaMargin::CmaMargin(OptimizerOptions resolved)
    : CmaMargin(resolved, InitialCmaState(resolved.mean, resolved.sigma),
                {std::vector<double>(resolved.mean.size(), 1.0)}) {
  Sample();
}

absl::StatusOr<std::unique_ptr<Optimizer>> CmaMargin::Restore(OptimizerOptions options, SnapshotReader& reader) {
  const size_t n = static_cast<size_t>(options.dimension);
  ASSIGN_OR_RETURN(CmaState state, ReadCmaState(n, reader));
  ASSIGN_OR_RETURN(Matrix scales, ReadMatrix(1, n, reader));
  std::unique_ptr<CmaMargin> restored(new CmaMargin(std::move(options), std::move(state), {std::move(scales.values)}));
  RETURN_IF_ERROR(restored->ReadCandidates(reader));
  return restored;
}

Matrix CmaMargin::Draw(const NormalSource& normals) const {
  return SampleCandidates(settings_, state_, normals);
}

void CmaMargin::Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) {
  UpdateState(settings_, candidates, evaluations, injected, state_);
  const double least = 1.0 / (static_cast<double>(dimension()) * population());  // the package's
  KeepMargin(grid_, least, state_, margin_);
}

void CmaMargin::WriteState(SnapshotWriter& writer) const {
  WriteCmaState(state_, writer);
  writer.Doubles(margin_.scales);
}

void CmaMargin::ToGenome(std::span<double> point) const {
  PutOnGrid(grid_, margin_, state_.mean, point);
}

}  // namespace heterosis
