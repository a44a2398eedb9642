// SPDX-License-Identifier: Apache-2.0
// Regular expressions as tokenizer.json writes them (Oniguruma's syntax), matched by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

// A compiled expression; immutable and thread-safe. Only what means the same in both engines, or can be rewritten, is
// accepted: \s, \w and \d are Unicode's as in Oniguruma; \b, \h, set operations and back references are refused.
class Regex {
 public:
  struct Match {
    size_t begin, end;  // bytes
  };

  static absl::StatusOr<std::unique_ptr<Regex>> Compile(std::string_view pattern);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // All matches from left to right that do not overlap. `text` must be valid UTF-8. Where the engine gives up (its
  // limits against endless backtracking) the rest of the text has no matches.
  std::vector<Match> FindAll(std::string_view text) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace heterosis
