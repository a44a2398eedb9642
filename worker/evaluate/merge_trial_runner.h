// SPDX-License-Identifier: Apache-2.0
// The real TrialRunner: merges into a resident model's buffers, decodes, scores.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "worker/device/device.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

struct TrialRunnerOptions {
  ModelFolders models;
  Device device;
  std::string language_model;                 // path of lid.176.ftz; read only where a task has a language gate
  std::atomic<uint64_t>* progress = nullptr;  // counts tokens and merged parts, unless nullptr
};

std::unique_ptr<TrialRunner> MakeTrialRunner(TrialRunnerOptions options);

}  // namespace heterosis
