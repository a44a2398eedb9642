// SPDX-License-Identifier: Apache-2.0
// The characters that numbers are made of, by their Unicode properties (utf8proc's tables).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heterosis {

// The value of a decimal digit of any script (category Nd): 0 to 9. Superscripts, fractions and kanji numerals are
// none. The same digits as Python's str.isdecimal of the same Unicode version.
std::optional<int> DecimalDigitValue(char32_t character);

bool IsAsciiDigit(char32_t character);

// A letter of the Latin script: ASCII, accented or full-width.
bool IsLatinLetter(char32_t character);

// A letter of any script.
bool IsLetter(char32_t character);

bool IsCurrency(char32_t character);

bool IsClosingBracket(char32_t character);

// The code points of a UTF-8 text with every decimal digit replaced by its ASCII form. A byte that is not UTF-8 becomes
// U+FFFD, which has none of the properties above.
std::u32string DecodeWithAsciiDigits(std::string_view text);

}  // namespace heterosis
