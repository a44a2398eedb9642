// SPDX-License-Identifier: Apache-2.0
// `coordinator export`: writes a trial's merge as a mergekit YAML file or as a recipe (canonical JSON).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace heterosis {

struct ExportOptions {
  std::string database;
  int64_t trial = 0;
  std::string format;  // mergekit or recipe
  std::string out;     // the file
};

absl::Status Export(const ExportOptions& options);

}  // namespace heterosis
