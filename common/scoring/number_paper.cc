// SPDX-License-Identifier: Apache-2.0
// The paper's reading of an answer: re.findall(r"\d*\.?\d+", text)[-1] in Python (shared/facts/paper.md).
#include "common/scoring/characters.h"
#include "common/scoring/number_search.h"

namespace heterosis {
namespace {

size_t EndOfDigits(std::u32string_view text, size_t begin) {
  while (begin < text.size() && IsAsciiDigit(text[begin])) ++begin;
  return begin;
}

// The end of the match that begins at `begin`, or `begin` where none does. The point belongs to it only where a digit
// follows; without one, \d* gives back a digit that \d+ takes again.
size_t EndOfMatch(std::u32string_view text, size_t begin) {
  const size_t whole_end = EndOfDigits(text, begin);
  if (whole_end == text.size() || text[whole_end] != U'.') return whole_end;
  const size_t end = EndOfDigits(text, whole_end + 1);
  return end > whole_end + 1 ? end : whole_end;
}

}  // namespace

// From the front, since where a match begins depends on the one before: "1.2.3" is "1.2" and ".3".
std::optional<std::string> FindNumberOfPaper(std::u32string_view text) {
  std::u32string_view last;
  for (size_t i = 0; i < text.size();) {
    const size_t end = EndOfMatch(text, i);
    if (end == i) {
      ++i;
      continue;
    }
    last = text.substr(i, end - i);
    i = end;
  }
  if (last.empty()) return std::nullopt;
  return std::string(last.begin(), last.end());
}

}  // namespace heterosis
