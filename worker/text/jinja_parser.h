// SPDX-License-Identifier: Apache-2.0
// Parses the part of Jinja that chat templates use.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "worker/text/jinja_ast.h"

namespace heterosis {

// Statements: if, for, set, break, continue, generation. Macros, includes and the like are refused. Errors name the
// line; nesting is bounded.
absl::StatusOr<JinjaNodePtr> ParseJinja(std::string_view source);

}  // namespace heterosis
