// SPDX-License-Identifier: Apache-2.0
// Defaults that depend on other keys of a config.
#pragma once

#include <string>
#include <vector>

#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Fills in tokenizer, each phase's sources and mask_seed, the optimizer of phases in data-flow space, and the format of
// the data files, where they are not given.
void ResolveConfig(v1::Experiment& config);

// The names of the models that a phase merges: those it names, or all but the base.
std::vector<std::string> SourcesOf(const v1::Experiment& config, const v1::Merge& merge);

}  // namespace heterosis
