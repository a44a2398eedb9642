// SPDX-License-Identifier: Apache-2.0
// A phase of a config as options of the PS search space.
#pragma once

#include "common/genome/ps_space.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// `config` is resolved (ReadConfig), `phase` one of its phases; `num_layers` is that of every model.
PsSpaceOptions PsOptionsFromConfig(const v1::Experiment& config, const v1::Phase& phase, int num_layers);

}  // namespace heterosis
