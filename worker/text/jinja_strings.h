// SPDX-License-Identifier: Apache-2.0
// Python's string methods for chat templates.
#pragma once

#include <string>

#include "worker/text/jinja_value.h"

namespace heterosis {

// `text` without whitespace (Python's str.isspace) at both ends.
std::string JinjaStrip(const std::string& text);

// strip, lstrip, rstrip, upper, lower, startswith, endswith, replace and split of `text`. UNIMPLEMENTED for others, and
// where our result would not be Python's (some letters outside ASCII in another case).
JinjaResult CallJinjaStringMethod(const std::string& text, const std::string& name, const JinjaArguments& arguments);

// Arguments of these types, or `fallback` (an error where that is nullptr) when they are not given.
absl::StatusOr<std::string> JinjaStringArgument(const JinjaArguments& arguments, size_t index, const std::string& name,
                                                const char* fallback = nullptr);
absl::StatusOr<int64_t> JinjaIntegerArgument(const JinjaArguments& arguments, size_t index, const std::string& name,
                                             int64_t fallback);

}  // namespace heterosis
