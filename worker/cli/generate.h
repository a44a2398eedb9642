// SPDX-License-Identifier: Apache-2.0
// `worker generate`: greedy continuations of prompts by a model on disk.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/task.h"
#include "worker/device/device.h"

namespace heterosis {

struct GenerateCommand {
  std::string model;  // a Hugging Face folder
  std::string prompt;
  std::string prompts_file;  // JSON lines with the key "prompt"; instead of `prompt`
  Task task;                 // limits, stop strings, dtype and batch size count
  Device device;
  bool json =
      false;  // {"outputs": [{"prompt", "text", "tokens", "finish"}]}; else the texts, a blank line between them
};

absl::StatusOr<std::string> GenerateTexts(const GenerateCommand& command);

}  // namespace heterosis
