// SPDX-License-Identifier: Apache-2.0
// The "pre_tokenizer" of tokenizer.json: cuts normalized text into pieces, no token reaching over a cut.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

struct TextPiece {
  std::string text;
  bool at_text_begin = false;  // the piece with which the whole input begins
};

// Immutable and thread-safe.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Rewrites the pieces in place; empty pieces are dropped. Texts must be valid UTF-8.
  virtual void Apply(std::vector<TextPiece>& pieces) const = 0;
};

// Knows Sequence, ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace and WhitespaceSplit; `place` names
// `value` in errors. A null `value` does nothing.
absl::StatusOr<std::unique_ptr<PreTokenizer>> MakePreTokenizer(const Json& value, const std::string& place);

}  // namespace heterosis
