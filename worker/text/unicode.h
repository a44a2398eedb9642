// SPDX-License-Identifier: Apache-2.0
// Character classes and normal forms of Unicode, by utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace heterosis {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// `text` must be valid UTF-8. Text may hold NUL.
std::string NormalizeUnicode(std::string_view text, NormalForm form);

// Lower case, character by character and without context (U+0130 becomes two characters). `text` must be valid UTF-8.
std::string LowerCase(std::string_view text);

bool IsWhitespace(char32_t value);     // White_Space
bool IsNumeric(char32_t value);        // Nd, Nl, No
bool IsPunctuation(char32_t value);    // ASCII punctuation or P*
bool IsWordCharacter(char32_t value);  // what \w matches: Alphabetic, marks, Nd, Pc, joiners

}  // namespace heterosis
