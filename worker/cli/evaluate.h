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

// What to print. As text: accuracy with its 95% Wilson interval, and the shares of right numbers and of answers in the
// right language (all of them where the task asks for none). As JSON: {"model", "experiment", "split", "problems",
// "correct", "accuracy", "interval": [low, high], "number_ok", "language_ok", "samples": [{"sample", "question",
// "expected", "text", "answer", "correct", "number_ok", "language_ok", "prompt_tokens", "new_tokens", "finish"}]}.
absl::StatusOr<std::string> EvaluateModel(const EvaluateCommand& command);

}  // namespace heterosis
