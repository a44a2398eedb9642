// SPDX-License-Identifier: Apache-2.0
// UTF-8: code points in and out, and repair of broken text as other tools do it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace heterosis {

// One code point read from a text; `length_bytes` is 1 and `valid` false where the bytes are not UTF-8.
struct CodePoint {
  char32_t value = 0;
  size_t length_bytes = 0;
  bool valid = false;
};

// The code point at `offset` < text.size(). Overlong forms, surrogates and values past U+10FFFF are invalid.
CodePoint DecodeUtf8(std::string_view text, size_t offset);

void AppendUtf8(char32_t value, std::string& out);

bool IsValidUtf8(std::string_view text);

// Each maximal broken sequence becomes one U+FFFD, as the Unicode standard recommends and Python's errors="replace"
// does.
std::string RepairUtf8(std::string_view text);

}  // namespace heterosis
