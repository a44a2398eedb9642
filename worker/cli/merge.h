// SPDX-License-Identifier: Apache-2.0
// `worker merge`: writes a merged model as a Hugging Face folder, with the very bytes that a trial computes with.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

struct MergeCommand {
  // One of: a recipe (canonical JSON), a mergekit YAML file, a trial of a database.
  std::string recipe;
  std::string mergekit;
  std::string database;
  int64_t trial = 0;

  ModelFolders models;  // by name; with a database or a mergekit file these only override the paths found there
  std::string out;      // must not exist, or be an empty folder
  int threads = 1;
};

absl::Status MergeToFolder(const MergeCommand& command);

}  // namespace heterosis
