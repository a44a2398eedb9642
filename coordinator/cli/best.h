// SPDX-License-Identifier: Apache-2.0
// `coordinator best`: the parents and the best genomes of a database, running or finished.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/cli/format.h"

namespace heterosis {

struct BestOptions {
  std::string database;
  int top = 10;
  Format format = Format::kTable;
};

// The text to print. JSON and its keys are a contract (docs/cli.md).
absl::StatusOr<std::string> Best(const BestOptions& options);

}  // namespace heterosis
