// SPDX-License-Identifier: Apache-2.0
// Test problems of bits, and of paths with scales, on which the optimizers are compared.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "coordinator/optimizer/optimizer.h"

namespace heterosis {

struct Problem {
  std::string name;
  size_t bits = 0;   // the first genes; in a genome, a bit is 1 where its gene is above 0.5
  size_t reals = 0;  // the genes after them
  std::vector<double> mean;
  std::function<double(const std::vector<double>& genome)> score;  // larger is better
  double optimum = 0;
  double solved = 0;  // the score from which on the problem counts as solved
  double noise = 0;   // standard deviation of what is added to a score
  OptimizerOptions::ActiveGenes active;
  OptimizerOptions::Mutation mutate;
};

// The number of ones. With moves that flip one bit, as the next.
Problem OneMax(size_t bits, double noise);

// The number of ones before the first zero.
Problem LeadingOnes(size_t bits);

// A layer path through two models of 16 layers, twice round (64 slots), with a scale in [0, 2] for each slot: gene 64 +
// t is half the scale of slot t, and inert while slot t is not taken. The path starts as model A (slots 0 to 15 at +2
// sigma, all others at -1). Worth: 0.4 for A's layers, less 0.05 for each that is missing; three hidden runs of four
// consecutive slots elsewhere are worth up to 0.2 each when taken whole, by how near their four scales are to hidden
// values in [0.5, 1.5] (the mean of exp(-(d / 0.2)^2)); every other slot that is taken costs 0.02. So any part of a run
// makes a path worse than A alone, and only the whole run makes it better. The optimum is 1, solved from 0.97 (one
// scale of a run that is quite wrong costs 0.05). `seed` hides the runs and scales. Moves: insert or drop a layer, swap
// two, take or repeat a run of 2 to 8.
Problem DeceptivePath(uint64_t seed, double noise);

}  // namespace heterosis
