// SPDX-License-Identifier: Apache-2.0
// How a text is cut at the matches of a pattern: the five delimiter behaviours of tokenizer.json.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/json_fields.h"
#include "worker/text/regex.h"

namespace heterosis {

enum class DelimiterBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

absl::StatusOr<DelimiterBehavior> ReadDelimiterBehavior(const JsonFields& owner, std::string_view key);

// A stretch of a text, a match of the pattern or what lies between two.
struct Stretch {
  size_t begin, end;  // bytes
  bool is_match;
};

// All of `text_bytes`, matches and the stretches between them. `invert` exchanges the two.
std::vector<Stretch> StretchesOf(size_t text_bytes, const std::vector<Regex::Match>& matches, bool invert);

// As StretchesOf, each character for which `is_match` holds being one match.
std::vector<Stretch> StretchesOfCharacters(std::string_view text, const std::function<bool(char32_t)>& is_match);

// The pieces that remain, in order; some may be empty.
std::vector<Regex::Match> Cut(const std::vector<Stretch>& stretches, DelimiterBehavior behavior);

}  // namespace heterosis
