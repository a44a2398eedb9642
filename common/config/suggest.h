// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known name that a wrong one was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heterosis {

// The closest of `known` by edits (insert, delete, replace, swap neighbours), or "" when none is close.
std::string Closest(std::string_view wrong, const std::vector<std::string>& known);

// `; did you mean "x"?` or ` (known: x, y, z)`.
std::string Suggestion(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace heterosis
