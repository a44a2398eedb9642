// SPDX-License-Identifier: Apache-2.0
// Reads everything that decides a run: the config, its problems, the models' identities and shapes. What `coordinator
// check` checks and a run starts from.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "common/trial/task.h"
#include "coordinator/experiment/setup.h"

namespace heterosis {

struct Inputs {
  ExperimentSetup setup;
  Task task;
  std::map<std::string, std::string> model_folders;  // name -> folder
};

// Reads every model file once for its digest (about 1 s per GB). Errors name the file, the place and the remedy; those
// of the config come all at once, a line each.
absl::StatusOr<Inputs> ReadInputs(const std::string& config_path);

}  // namespace heterosis
