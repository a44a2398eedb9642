// SPDX-License-Identifier: Apache-2.0
// A worker that serves a coordinator.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "worker/device/device.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

struct WorkOptions {
  std::string coordinator;  // HOST:PORT
  std::string name;         // empty: host name and device
  Device device;
  ModelFolders models;
  std::string language_model;
};

// Until the experiment ends or a SIGTERM or SIGINT comes (the shard in work is then given back).
absl::Status Work(const WorkOptions& options);

// Where lid.176.ftz is: HETEROSIS_LANGUAGE_MODEL, beside an installed program, or in the checkout that it was built in.
std::string FindLanguageModel();

}  // namespace heterosis
