// SPDX-License-Identifier: Apache-2.0
// Implements added_tokens.h; the order of events is that of huggingface/tokenizers (tokenizer/added_vocabulary.rs).
#include "worker/text/added_tokens.h"

#include <algorithm>

#include "common/base/utf8.h"
#include "worker/text/unicode.h"

namespace heterosis {
namespace {

// The character that ends right before `at` > 0.
char32_t CharacterBefore(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return DecodeUtf8(text, begin).value;
}

size_t SkipWhitespaceBack(std::string_view text, size_t at) {
  while (at > 0) {
    const char32_t character = CharacterBefore(text, at);
    if (!IsWhitespace(character)) break;
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  }
  return at;
}

size_t SkipWhitespace(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint point = DecodeUtf8(text, at);
    if (!IsWhitespace(point.value)) break;
    at += point.length_bytes;
  }
  return at;
}

bool TouchesWord(std::string_view text, size_t begin, size_t end) {
  return (begin > 0 && IsWordCharacter(CharacterBefore(text, begin))) ||
         (end < text.size() && IsWordCharacter(DecodeUtf8(text, end).value));
}

}  // namespace

void TokenFinder::Add(std::string_view pattern, const AddedToken& token) {
  if (!pattern.empty() && patterns_.Add(pattern, static_cast<int32_t>(tokens_.size()))) tokens_.push_back(token);
}

std::vector<TokenFinder::Segment> TokenFinder::Cut(std::string_view text) const {
  std::vector<Segment> segments;
  size_t done = 0;
  for (size_t at = 0; at < text.size() && !tokens_.empty();) {
    const ByteTrie::Match found = patterns_.LongestAt(text, at);
    if (found.length_bytes == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found.value)];
    size_t begin = at, end = at + found.length_bytes;
    at = end;
    if (token.single_word && TouchesWord(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(SkipWhitespaceBack(text, begin), done);
    if (token.rstrip) end = SkipWhitespace(text, end);
    if (done < begin) segments.push_back({text.substr(done, begin - done), -1});
    segments.push_back({text.substr(begin, end - begin), token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({text.substr(done), -1});
  return segments;
}

}  // namespace heterosis
