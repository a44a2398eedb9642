// SPDX-License-Identifier: Apache-2.0
// The mathematics of CMA-ES as two functions over an explicit state: sampling a generation from given normal numbers,
// and learning from its ranking. Hansen's tutorial (arXiv 1604.00772, whose equations are cited) as the `cmaes` package
// implements it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "coordinator/optimizer/box.h"
#include "coordinator/optimizer/cma_constants.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"

namespace heterosis {

// What stays the same during a search.
struct CmaSettings {
  CmaConstants constants;  // its eigen_gap may be lowered: 0 decomposes after every generation
  Box box;
  bool two_point = false;  // the step size by TPA; else CSA
  // Candidates on a bound get no negative weight. The package has no such rule, and its clipped runs diverge where the
  // optimum is on bounds: clipping shortens a step, and the normalisation of eq. 46 then blows up what is left of it.
  bool spare_clipped = false;
  int resampling_max = 0;  // draws outside the box that are discarded before one is clipped
};

struct CmaState {
  int64_t generation = 0;
  std::vector<double> mean;
  double sigma = 0;
  std::vector<double> p_sigma;  // evolution path for the step size
  std::vector<double> p_c;      // evolution path for the rank-one update
  Matrix c;                     // covariance, upper triangle
  EigenBasis eigen;             // decomposes the c of generation eigen_generation
  int64_t eigen_generation = 0;
  double tpa_smoothed = 0;        // two-point adaptation only: its signal, and
  std::vector<double> last_move;  // the mean's last move over sigma; empty before the first
};

// C = I.
CmaState InitialCmaState(std::vector<double> mean, double sigma);

// Writes the standard normal vector of one candidate's attempt (0, 1, ... for draws discarded outside the box).
using NormalSource = std::function<void(size_t candidate, int attempt, std::span<double> z)>;

// The generation's candidates, one per row, all inside the box. With two_point, candidates 0 and 1 mirror each other
// along the mean's last move.
Matrix SampleCandidates(const CmaSettings& settings, const CmaState& state, const NormalSource& normals);

// Learns from `candidates` and their evaluations (at least one valid). The first `injected` of them did not come from
// the distribution: the length of their steps is limited (Hansen, "Injecting External Solutions Into CMA-ES", 2011).
void UpdateState(const CmaSettings& settings, const Matrix& candidates, std::span<const Evaluation> evaluations,
                 size_t injected, CmaState& state);

}  // namespace heterosis
