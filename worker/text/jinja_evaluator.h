// SPDX-License-Identifier: Apache-2.0
// Runs a parsed Jinja template.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "worker/text/jinja_ast.h"
#include "worker/text/jinja_value.h"

namespace heterosis {

// The text that the template makes of its variables. Errors name the line. A template may come with a model from
// anywhere: the number of steps and the length of the text are bounded.
absl::StatusOr<std::string> EvaluateJinja(const JinjaNode& root, std::map<std::string, JinjaValue> variables);

}  // namespace heterosis
