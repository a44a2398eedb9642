// SPDX-License-Identifier: Apache-2.0
// The two rules for the step size: by how much sigma grows or shrinks after a generation.
#pragma once

#include <span>

#include "coordinator/optimizer/cma_constants.h"
#include "coordinator/optimizer/optimizer.h"

namespace heterosis {

// Cumulative step-size adaptation (Hansen's tutorial, eq. 44): the factor for sigma, from the length of the evolution
// path.
double CsaFactor(const CmaConstants& constants, double path_length);

// Two-point adaptation (Hansen, Atamna, Auger: "How to Assess Step-Size Adaptation Mechanisms in Randomised Search",
// 2014; smoothing and damping as pycma 4.5). Candidates 0 and 1 must be the mean plus and minus the same multiple of
// its last move: where going on beats going back, sigma grows.
// The signal in [-1, 1]: by how much candidate 0 outranks candidate 1; 0 where they tie or one of them is invalid.
double TpaSignal(std::span<const Evaluation> evaluations);
// The next value of the smoothed signal, and the factor for sigma that belongs to it.
double TpaSmoothed(double smoothed, double signal);
double TpaFactor(const CmaConstants& constants, double smoothed);

}  // namespace heterosis
