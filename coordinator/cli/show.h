// SPDX-License-Identifier: Apache-2.0
// `coordinator show`: all about one trial: scores, recipe, shards, failures and every answer.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/cli/format.h"

namespace heterosis {

struct ShowOptions {
  std::string database;
  int64_t trial = 0;
  Format format = Format::kTable;  // table or JSON
};

absl::StatusOr<std::string> Show(const ShowOptions& options);

}  // namespace heterosis
