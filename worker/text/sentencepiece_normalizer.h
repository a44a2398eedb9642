// SPDX-License-Identifier: Apache-2.0
// How SentencePiece rewrites text before cutting it: rules such as nmt_nfkc, spaces, broken bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/byte_trie.h"
#include "worker/text/sentencepiece_model.h"

namespace heterosis {

// The rules of a precompiled_charsmap: the size of a trie in bytes (4 bytes, little endian), the trie (a double array
// as the library darts-clone lays it out), and the replacements, each ended by a zero byte. Immutable, thread-safe.
class CharsMap {
 public:
  // `blob` may be empty: no rules.
  static absl::StatusOr<CharsMap> Parse(std::string_view blob);

  // The longest rule that applies at the beginning of `text`: how many bytes it takes (0: none applies).
  struct Rule {
    size_t length_bytes = 0;
    std::string_view replacement;
  };
  Rule Longest(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};

// Immutable and thread-safe.
class SentencePieceNormalizer {
 public:
  static absl::StatusOr<SentencePieceNormalizer> Make(const SentencePieceModel& model);

  // Any bytes; a byte that is not UTF-8 becomes U+FFFD.
  std::string Normalize(std::string_view text) const;

  // The user-defined symbols of the model, which are never rewritten.
  const ByteTrie& user_symbols() const { return user_symbols_; }

 private:
  // What the beginning of `text` becomes, and how many bytes of it that takes (at least one).
  std::pair<std::string_view, size_t> NormalizePrefix(std::string_view text) const;

  CharsMap rules_;
  ByteTrie user_symbols_;
  std::string space_;
  bool add_dummy_prefix_ = true;
  bool remove_extra_whitespaces_ = true;
};

}  // namespace heterosis
