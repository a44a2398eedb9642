// SPDX-License-Identifier: Apache-2.0
// `worker evaluate`: scores a model on disk on a split of an experiment's task, without a coordinator.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/trial/trial.h"
#include "worker/device/device.h"

namespace heterosis {

struct EvaluateCommand {
  std::string model;   // a Hugging Face folder
  std::string config;  // the experiment's YAML file: task and data
  Split split = Split::kTest;
  Device device;
  std::string language_model;
  bool json = false;
};

absl::StatusOr<std::string> EvaluateModel(const EvaluateCommand& command);

}  // namespace heterosis
