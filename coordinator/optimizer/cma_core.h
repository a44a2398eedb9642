// SPDX-License-Identifier: Apache-2.0
// The mathematics of CMA-ES as two functions over an explicit state: sampling a generation from given normal numbers,
// and learning from its ranking. Hansen's tutorial (arXiv 1604.00772, whose equations are cited) as the `cmaes` package
// implements it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/optimizer/evolution.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/sampling.h"

namespace heterosis {

struct CmaState : EvolutionState {
  Matrix c;          // covariance, upper triangle
  EigenBasis eigen;  // decomposes the c of generation eigen_generation
  int64_t eigen_generation = 0;
};

// C = I.
CmaState InitialCmaState(std::vector<double> mean, double sigma);

// The generation's candidates, one per row, all inside the box. With two_point, candidates 0 and 1 mirror each other
// along the mean's last move.
Matrix SampleCandidates(const CmaSettings& settings, const CmaState& state, const NormalSource& normals);

// Learns from `candidates` and their evaluations (at least one valid). The first `injected` of them did not come from
// the distribution: the length of their steps is limited (Hansen, "Injecting External Solutions Into CMA-ES", 2011).
void UpdateState(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                 size_t injected, CmaState& state);

void WriteCmaState(const CmaState& state, SnapshotWriter& writer);
absl::StatusOr<CmaState> ReadCmaState(size_t dimension, SnapshotReader& reader);

}  // namespace heterosis
