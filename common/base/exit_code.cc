// SPDX-License-Identifier: Apache-2.0
// Implements exit_code.h.
#include "common/base/exit_code.h"

#include <cstdio>

#include "common/base/status.h"

namespace heterosis {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return kBadUsage;
    default:
      return kFailed;
  }
}

ExitCode Tell(const absl::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "error: %s\n", Message(status).c_str());
  return ExitCodeOf(status);
}

ExitCode Print(const absl::StatusOr<std::string>& text) {
  if (!text.ok()) return Tell(text.status());
  const bool written = std::fwrite(text->data(), 1, text->size(), stdout) == text->size();
  return std::fflush(stdout) == 0 && written ? kDone : kFailed;
}

}  // namespace heterosis
