// SPDX-License-Identifier: Apache-2.0
// The way of the data through a decoder's layers (DESIGN.md, section 5), resolved to what an engine does at each step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "worker/checkpoint/path_config.h"

namespace heterosis {

// One pass through a layer. A factor of exactly 1 costs no multiplication.
struct PathStep {
  int64_t layer = 0;
  float state = 1;  // multiplies the hidden state before the layer
  float mlp = 1;    // multiplies the layer's MLP output before it is added to the residual
};

// Every layer once, in order, unscaled.
PathConfig IdentityPath(int64_t layers);

// INVALID_ARGUMENT for an empty path, a layer outside [0, layers) or a scale that is not finite; names the hop.
absl::Status CheckPath(const PathConfig& path, int64_t layers);

// stream: each hop's scale multiplies the state that enters it. branch: the first hop's does, each later one's the MLP
// output of the hop before it; the last MLP output is added as it is.
std::vector<PathStep> StepsOf(const PathConfig& path);

}  // namespace heterosis
