// SPDX-License-Identifier: Apache-2.0
// A phase of a config as options of the DFS search space.
#pragma once

#include "common/config/model_folder.h"
#include "common/genome/dfs_space.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// The phase of this name, or nullptr.
const v1::Phase* FindPhase(const v1::Experiment& config, const std::string& name);

// The decoder layers of what a phase in parameter space merges: those of its first source.
int LayersOfMerge(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers);

// `config` is checked (ReadConfig), `phase` one of its phases in data-flow space.
DfsSpaceOptions DfsOptionsFromConfig(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers);

}  // namespace heterosis
