// SPDX-License-Identifier: Apache-2.0
// Independent bits that learn by a natural gradient whose step adapts to its own signal (Akimoto et al., "Adaptive
// Stochastic Natural Gradient Method", 2019), with a margin that keeps both values of every bit alive: the categorical
// part of CatCMA (Hamano et al., 2024, as the `cmaes` package has it) for two categories.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

// The least probability of either value of each of `count` bits, such that a generation's candidate misses the likelier
// value of some bit with probability 0.27 once all have settled.
double BernoulliMargin(size_t count);

struct BernoulliState {
  std::vector<double> probabilities;  // of a 1
  std::vector<double> signal;         // the accumulated gradient, in the Fisher metric
  double signal_expected = 0;         // its squared length if selection were random
  double damping = 1;                 // Delta: grows where the gradient is noise
  double step = 1;                    // delta, the length of a step in the Fisher metric: 1 / damping
};

// The probabilities, kept within the margin.
BernoulliState InitialBernoulli(std::vector<double> probabilities);

// One parent's bits and what it is worth; `active`, where not empty, is 0 for a bit that had no effect in it.
struct BitParent {
  std::span<const char> bits;
  std::span<const char> active;
  double weight = 0;
};

// Learns from the parents.
void UpdateBernoulli(std::span<const BitParent> parents, BernoulliState& state);

void WriteBernoulli(const BernoulliState& state, SnapshotWriter& writer);
absl::StatusOr<BernoulliState> ReadBernoulli(size_t count, SnapshotReader& reader);

}  // namespace heterosis
