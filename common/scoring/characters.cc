// SPDX-License-Identifier: Apache-2.0
// Implements characters.h.
#include "common/scoring/characters.h"

#include <utf8proc.h>

#include "common/base/utf8.h"

namespace heterosis {
namespace {

utf8proc_category_t CategoryOf(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

}  // namespace

std::optional<int> DecimalDigitValue(char32_t character) {
  if (character < 0x80) {
    if (IsAsciiDigit(character)) return static_cast<int>(character - U'0');
    return std::nullopt;
  }
  if (CategoryOf(character) != UTF8PROC_CATEGORY_ND) return std::nullopt;
  // Unicode keeps the decimal digits of a script together and in order, so neighbouring sets (the mathematical ones)
  // make a run of a multiple of ten.
  char32_t first = character;
  while (CategoryOf(first - 1) == UTF8PROC_CATEGORY_ND) --first;
  return static_cast<int>((character - first) % 10);
}

bool IsAsciiDigit(char32_t character) {
  return character >= U'0' && character <= U'9';
}

bool IsLatinLetter(char32_t character) {
  if (!IsLetter(character)) return false;
  const bool extended = character >= 0xAA && character <= 0x24F;
  const bool full_width = character >= 0xFF21 && character <= 0xFF5A;
  return character < 0x80 || extended || full_width;
}

bool IsLetter(char32_t character) {
  switch (CategoryOf(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool IsCurrency(char32_t character) {
  return CategoryOf(character) == UTF8PROC_CATEGORY_SC;
}

bool IsClosingBracket(char32_t character) {
  return CategoryOf(character) == UTF8PROC_CATEGORY_PE;
}

std::u32string DecodeWithAsciiDigits(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeUtf8(text, i);
    i += point.length_bytes;
    if (!point.valid) {
      characters += U'\uFFFD';
    } else if (const std::optional<int> digit = DecimalDigitValue(point.value); digit.has_value()) {
      characters += U'0' + static_cast<char32_t>(*digit);
    } else {
      characters += point.value;
    }
  }
  return characters;
}

}  // namespace heterosis
