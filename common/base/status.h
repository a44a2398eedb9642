// SPDX-License-Identifier: Apache-2.0
// Macros over absl::Status: return early on an error, and add to an error where it happened.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace heterosis {

// The message of a status as the standard library's type, which Debian's absl::string_view is not.
inline std::string Message(const absl::Status& status) {
  return std::string(status.message());
}

// The same code with "context: " put before the message; OK stays OK.
inline absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(std::string(context), ": ", status.message()));
}

}  // namespace heterosis

#define HETEROSIS_CONCAT_INNER(a, b) a##b
#define HETEROSIS_CONCAT(a, b) HETEROSIS_CONCAT_INNER(a, b)

// RETURN_IF_ERROR(expr): returns the status of `expr` from the calling function unless it is OK.
#define RETURN_IF_ERROR(expr)                            \
  do {                                                   \
    absl::Status heterosis_status = (expr);              \
    if (!heterosis_status.ok()) return heterosis_status; \
  } while (false)

// ASSIGN_OR_RETURN(lhs, expr): assigns the value of a StatusOr, or returns its status.
#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_IMPL(HETEROSIS_CONCAT(heterosis_result_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                          \
  if (!result.ok()) return result.status();      \
  lhs = std::move(result).value()
