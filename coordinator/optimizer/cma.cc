// SPDX-License-Identifier: Apache-2.0
// Implements cma.h.
#include "coordinator/optimizer/cma.h"

#include <utility>

#include "common/base/status.h"

namespace heterosis {

Cma::Cma(OptimizerOptions resolved, CmaState state)
    : EvolutionStrategy(std::move(resolved)),
      settings_(MakeCmaSettings(options(), MakeCmaConstants(dimension(), population()))),
      state_(std::move(state)) {}

Cma::Cma(OptimizerOptions resolved) : Cma(resolved, InitialCmaState(resolved.mean, resolved.sigma)) {
  Sample();
}

absl::StatusOr<std::unique_ptr<Optimizer>> Cma::Restore(OptimizerOptions options, SnapshotReader& reader) {
  ASSIGN_OR_RETURN(CmaState state, ReadCmaState(static_cast<size_t>(options.dimension), reader));
  std::unique_ptr<Cma> restored(new Cma(std::move(options), std::move(state)));
  RETURN_IF_ERROR(restored->ReadCandidates(reader));
  return restored;
}

Matrix Cma::Draw(const NormalSource& normals) const {
  return SampleCandidates(settings_, state_, normals);
}

void Cma::Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) {
  UpdateState(settings_, candidates, evaluations, injected, state_);
}

}  // namespace heterosis
