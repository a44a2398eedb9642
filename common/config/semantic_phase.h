// SPDX-License-Identifier: Apache-2.0
// The part of semantic.h that is about phases, and its checks of names, which the other part uses too.
#pragma once

#include <string>

#include "common/config/issues.h"
#include "common/config/model_folder.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Checks every phase; `layers` is empty where a model cannot be read.
void CheckPhases(const v1::Experiment& config, const ModelLayers& layers, ConfigIssues& issues);

// `name` must be of letters, digits, '.', '_' and '-': names stand in commands, gene names and file names.
void CheckName(const std::string& key, const std::string& name, ConfigIssues& issues);

// `name`, the value of `key`, must be the name of a model.
void CheckModelName(const std::string& key, const std::string& name, const v1::Experiment& config,
                    ConfigIssues& issues);

}  // namespace heterosis
