// SPDX-License-Identifier: Apache-2.0
// Decodes while a model generates: one id at a time, each at the cost of a few tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/text/tokenizer.h"

namespace heterosis {

// Thread-compatible; borrows the tokenizer.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  void Append(int32_t id);

  // Equal to Decode of all ids so far. The end of it may still change (half a character is U+FFFD until the rest
  // comes).
  const std::string& text() const { return text_; }
  // This many bytes at the beginning of text() will not change.
  size_t settled_bytes() const { return settled_bytes_; }

 private:
  const Tokenizer& tokenizer_;
  const bool skip_special_tokens_;
  std::string text_;
  size_t settled_bytes_ = 0;
  std::vector<int32_t> open_ids_;  // those whose text is behind settled_bytes_
};

}  // namespace heterosis
