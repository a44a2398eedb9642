// SPDX-License-Identifier: Apache-2.0
// `coordinator check`: resolves a config and prints what would run: dimensions, population, splits, budget.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// The text to print; an error where a run would not start.
absl::StatusOr<std::string> Check(const std::string& config_path);

}  // namespace heterosis
