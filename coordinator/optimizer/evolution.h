// SPDX-License-Identifier: Apache-2.0
// What every CMA-ES here has whatever the shape of its covariance: the state of mean, step size and evolution paths,
// and how they move. Equation numbers are those of Hansen's tutorial (arXiv 1604.00772).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/optimizer/box.h"
#include "coordinator/optimizer/cma_constants.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/snapshot.h"

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

// The settings that `resolved` options ask for, with `constants` as the variant has them.
CmaSettings MakeCmaSettings(const OptimizerOptions& resolved, CmaConstants constants);

struct EvolutionState {
  int64_t generation = 0;
  std::vector<double> mean;
  double sigma = 0;
  std::vector<double> p_sigma;    // evolution path for the step size
  std::vector<double> p_c;        // evolution path for the rank-one update
  double tpa_smoothed = 0;        // two-point adaptation only: its signal, and
  std::vector<double> last_move;  // the mean's last move over sigma; empty before the first
};

EvolutionState InitialEvolution(std::vector<double> mean, double sigma);

// What a path is fed so that its length stays that of a normal vector when selection is random: sqrt(c (2 - c) mu_eff).
double PathFactor(double rate, double mu_eff);

// The parents' mean step (eq. 41): the weighted sum of the first rows of `steps`, (x - m) / sigma, best first.
std::vector<double> Recombine(const CmaConstants& constants, const Matrix& steps);

// Counts the generation and moves mean, evolution paths and step size (by CSA from the length of p_sigma, or by TPA
// from the evaluations of candidates 0 and 1). `move` is the parents' mean step, `whitened` C^(-1/2) times it, with the
// covariance that the generation was drawn with. Returns h_sigma: 0 stalls the rank-one path while the step size is
// about to grow (tutorial, page 28), else 1.
double MoveEvolution(const CmaSettings& settings, std::span<const Evaluation> evaluations, std::vector<double> move,
                     std::span<const double> whitened, EvolutionState& state);

// The longest step that an injected point may make, in standard deviations (Hansen, "Injecting External Solutions Into
// CMA-ES", 2011).
double InjectedLengthMax(size_t dimension);

void WriteEvolution(const EvolutionState& state, SnapshotWriter& writer);
// DataLoss where a vector has not `dimension` values.
absl::Status ReadEvolution(size_t dimension, SnapshotReader& reader, EvolutionState& state);

}  // namespace heterosis
