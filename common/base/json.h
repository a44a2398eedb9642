// SPDX-License-Identifier: Apache-2.0
// JSON: nlohmann's value type, and a parser of ours over it that is safe on hostile text (bounded depth, no duplicate
// keys, no exceptions).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace heterosis {

// Keys keep the order in which they were written or added, so that what we print is stable and readable.
using Json = nlohmann::ordered_json;

struct JsonLimits {
  int depth_max = 64;
  size_t values_max = 50'000'000;
};

// The value of a whole JSON text. Invalid UTF-8, duplicate keys, trailing text, numbers too large for a double and too
// deep nesting are errors; those of syntax say "byte N: what".
absl::StatusOr<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

// As ParseJson, for a file; errors begin with its path.
absl::StatusOr<Json> ReadJsonFile(const std::string& path, const JsonLimits& limits = {});

// The text of `value`, one line without spaces (indent < 0) or indented. Invalid UTF-8 in strings becomes U+FFFD.
std::string JsonText(const Json& value, int indent = -1);

// Member `key` of object `value` with the type asked for; an error names the key and the type found. Numbers must be
// exact: a fraction or a negative is refused where an unsigned is asked.
absl::StatusOr<std::string> JsonString(const Json& value, std::string_view key);
absl::StatusOr<double> JsonNumber(const Json& value, std::string_view key);
absl::StatusOr<int64_t> JsonInt(const Json& value, std::string_view key);
absl::StatusOr<bool> JsonBool(const Json& value, std::string_view key);

// The member or nullptr; never inserts, never throws, also when `value` is no object.
const Json* JsonFind(const Json& value, std::string_view key);

}  // namespace heterosis
