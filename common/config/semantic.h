// SPDX-License-Identifier: Apache-2.0
// What a config must fulfil beyond its schema: names that refer to each other, parameters that fit the merge method,
// models and data that can be read.
#pragma once

#include "common/config/issues.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Adds to `issues` what is wrong with `config`, which may lack whatever has an error already. Opens the models'
// config.json, but no data file.
void CheckConfig(const v1::Experiment& config, ConfigIssues& issues);

}  // namespace heterosis
