// SPDX-License-Identifier: Apache-2.0
// `coordinator best --failed`: the trials that have failed or are infeasible, why, and on which workers.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/cli/format.h"

namespace heterosis {

// The text to print. JSON and its keys are a contract (docs/cli.md).
absl::StatusOr<std::string> Failed(const std::string& database, Format format);

}  // namespace heterosis
