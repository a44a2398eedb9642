// SPDX-License-Identifier: Apache-2.0
// Implements sep_cma.h.
#include "coordinator/optimizer/sep_cma.h"

#include <utility>

#include "common/base/status.h"

namespace heterosis {

SepCma::SepCma(OptimizerOptions resolved, SepCmaState state)
    : EvolutionStrategy(std::move(resolved)),
      settings_(MakeCmaSettings(options(), MakeSepCmaConstants(dimension(), population()))),
      state_(std::move(state)) {}

SepCma::SepCma(OptimizerOptions resolved) : SepCma(resolved, InitialSepCmaState(resolved.mean, resolved.sigma)) {
  Sample();
}

absl::StatusOr<std::unique_ptr<Optimizer>> SepCma::Restore(OptimizerOptions options, SnapshotReader& reader) {
  ASSIGN_OR_RETURN(SepCmaState state, ReadSepCmaState(static_cast<size_t>(options.dimension), reader));
  std::unique_ptr<SepCma> restored(new SepCma(std::move(options), std::move(state)));
  RETURN_IF_ERROR(restored->ReadCandidates(reader));
  return restored;
}

Matrix SepCma::Draw(const NormalSource& normals) const {
  return SampleSepCma(settings_, state_, normals);
}

void SepCma::Learn(const Matrix& candidates, std::span<const Evaluation> evaluations, size_t injected) {
  UpdateSepCma(settings_, candidates, evaluations, injected, state_);
}

}  // namespace heterosis
