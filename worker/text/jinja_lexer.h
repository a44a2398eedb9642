// SPDX-License-Identifier: Apache-2.0
// Cuts a Jinja template into tokens, with the whitespace rules that transformers sets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

struct JinjaToken {
  enum class Kind {
    kText,
    kOutputBegin,
    kOutputEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kInteger,
    kFloat,
    kString,
    kOperator,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string text;  // of strings: the value, escapes resolved
  int line = 1;
};

// trim_blocks and lstrip_blocks are on; line ends become \n, and one at the end of the template is dropped. The last
// token is kEnd. Errors name the line.
absl::StatusOr<std::vector<JinjaToken>> LexJinja(std::string_view source);

}  // namespace heterosis
