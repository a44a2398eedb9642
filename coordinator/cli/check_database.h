// SPDX-License-Identifier: Apache-2.0
// `coordinator check --db`: reads all of a trial database, running or finished, and says whether it is as it was
// written.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// The text to print; DataLoss, with one line for each damage found (the first 100), where there is any.
absl::StatusOr<std::string> CheckDatabase(const std::string& path);

}  // namespace heterosis
