// SPDX-License-Identifier: Apache-2.0
// Draws a generation from a normal distribution of any covariance, inside a box.
#pragma once

#include <functional>
#include <span>

#include "coordinator/optimizer/evolution.h"
#include "coordinator/optimizer/linear_algebra.h"

namespace heterosis {

// Writes the standard normal vector of one candidate's attempt (0, 1, ... for draws discarded outside the box).
using NormalSource = std::function<void(size_t candidate, int attempt, std::span<double> z)>;

// Every row z becomes C^(1/2) z.
using CovarianceRoot = std::function<Matrix(Matrix rows)>;

// The generation's candidates, one per row: mean + sigma C^(1/2) z (eq. 38 to 40), all inside the box. Where
// `move_length`, the Mahalanobis length of state.last_move, is above 0, candidates 0 and 1 mirror each other along that
// move, as two-point adaptation wants them; else all are drawn.
Matrix SampleWithin(const CmaSettings& settings, const EvolutionState& state, double move_length,
                    const CovarianceRoot& root, const NormalSource& normals);

}  // namespace heterosis
