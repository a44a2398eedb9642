// SPDX-License-Identifier: Apache-2.0
// What Replace and Split of tokenizer.json look for: a literal string or a regular expression.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/json_fields.h"
#include "worker/text/regex.h"

namespace heterosis {

// Immutable and thread-safe.
class Pattern {
 public:
  // Reads {"String": "..."} or {"Regex": "..."}, the member "pattern" of `owner`.
  static absl::StatusOr<Pattern> Read(const JsonFields& owner);
  // `literal` must not be empty.
  static Pattern Literal(std::string literal);

  // The matches from left to right; they do not overlap. `text` must be valid UTF-8.
  std::vector<Regex::Match> FindAll(std::string_view text) const;

  // `text` with every match replaced.
  std::string Replace(std::string_view text, std::string_view replacement) const;

 private:
  Pattern(std::string literal, std::shared_ptr<const Regex> regex)
      : literal_(std::move(literal)), regex_(std::move(regex)) {}

  std::string literal_;
  std::shared_ptr<const Regex> regex_;  // nullptr: look for literal_
};

}  // namespace heterosis
