// SPDX-License-Identifier: Apache-2.0
// How both programs end: results on standard output, errors on standard error, and the exit codes that scripts rely on
// (docs/cli.md).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// kBadUsage: what was asked for cannot be done as it stands, and asking again would not help: an option, a config or a
// file is wrong, missing, damaged or not readable.
enum ExitCode { kDone = 0, kFailed = 1, kBadUsage = 2 };

ExitCode ExitCodeOf(const absl::Status& status);

// Prints "error: " and the message on standard error, where there is one; what to do is in its text.
ExitCode Tell(const absl::Status& status);

// Prints the text on standard output, or tells the error. kFailed also where standard output cannot be written.
ExitCode Print(const absl::StatusOr<std::string>& text);

}  // namespace heterosis
