// SPDX-License-Identifier: Apache-2.0
// The mathematics of separable CMA-ES (Ros and Hansen, "A Simple Modification in CMA-ES Achieving Linear Time and Space
// Complexity", 2008), in which the covariance is a diagonal, as the `cmaes` package's SepCMA has it.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/optimizer/evolution.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/sampling.h"

namespace heterosis {

// Only positive weights: one for each of the `parents`. dimension >= 1, population >= 2.
CmaConstants MakeSepCmaConstants(int dimension, int population);

struct SepCmaState : EvolutionState {
  std::vector<double> variances;  // the diagonal of C
};

// All variances 1.
SepCmaState InitialSepCmaState(std::vector<double> mean, double sigma);

// As SampleCandidates and UpdateState of cma_core.h.
Matrix SampleSepCma(const CmaSettings& settings, const SepCmaState& state, const NormalSource& normals);
void UpdateSepCma(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                  size_t injected, SepCmaState& state);

void WriteSepCmaState(const SepCmaState& state, SnapshotWriter& writer);
absl::StatusOr<SepCmaState> ReadSepCmaState(size_t dimension, SnapshotReader& reader);

}  // namespace heterosis
