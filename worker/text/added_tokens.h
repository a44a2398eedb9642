// SPDX-License-Identifier: Apache-2.0
// Tokens that are found in the text before anything else is done with it: "added_tokens" of tokenizer.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/text/byte_trie.h"

namespace heterosis {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // not where it touches a word character
  bool lstrip = false;       // takes the whitespace before it
  bool rstrip = false;       // takes the whitespace behind it
  bool normalized = false;   // sought in the normalized text, itself normalized
  bool special = false;      // left out of decoded text on request

  bool operator==(const AddedToken&) const = default;
};

// Finds tokens in text, leftmost first and then the longest. Immutable once filled; thread-safe.
class TokenFinder {
 public:
  struct Segment {
    std::string_view text;
    int32_t id;  // -1: text without added tokens
  };

  // `pattern` is what is sought (the content, or the normalized content); empty patterns are ignored.
  void Add(std::string_view pattern, const AddedToken& token);

  // Cuts `text` into tokens and the stretches between them, which are not empty.
  std::vector<Segment> Cut(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  ByteTrie patterns_;  // -> index into tokens_
};

}  // namespace heterosis
