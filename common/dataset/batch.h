// SPDX-License-Identifier: Apache-2.0
// Which problems of a split a generation is scored on.
#pragma once

#include <cstdint>
#include <vector>

namespace heterosis {

struct BatchOptions {
  uint64_t seed = 0;       // the experiment's
  int phase = 0;           // its place in the config
  int generation = 0;      // from 0
  int split_size = 0;      // problems in the split
  int per_generation = 0;  // problems wanted; 0, or as many as there are: all of them
};

// Indexes in the split, rising, none twice. The batches of successive generations run through a random order of the
// split without replacement; when it is used up a new random order begins, in the midst of a batch if need be. A pure
// function of the options; takes time in proportion to generation * per_generation.
std::vector<int> BatchFor(const BatchOptions& options);

}  // namespace heterosis
