// SPDX-License-Identifier: Apache-2.0
// Implements utf8.h.
#include "common/base/utf8.h"

namespace heterosis {
namespace {

struct Lead {
  size_t length;
  unsigned char second_min, second_max;
};

// The well-formed byte ranges of Unicode 15, table 3-7; length 0 is no lead byte.
Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes at `offset` form a well-formed prefix; sets `whole` when they form a whole code point.
size_t PrefixLength(std::string_view text, size_t offset, bool* whole) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead lead = LeadOf(at(offset));
  *whole = false;
  if (lead.length == 0) return 1;
  size_t length = 1;
  while (length < lead.length && offset + length < text.size()) {
    const unsigned char byte = at(offset + length);
    const bool fits = length == 1 ? byte >= lead.second_min && byte <= lead.second_max : (byte & 0xC0) == 0x80;
    if (!fits) return length;
    ++length;
  }
  *whole = length == lead.length;
  return length;
}

}  // namespace

CodePoint DecodeUtf8(std::string_view text, size_t offset) {
  bool whole = false;
  const size_t length = PrefixLength(text, offset, &whole);
  const auto at = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[offset + i])); };
  if (!whole) return {at(0), 1, false};
  switch (length) {
    case 1:
      return {at(0), 1, true};
    case 2:
      return {((at(0) & 0x1F) << 6) | (at(1) & 0x3F), 2, true};
    case 3:
      return {((at(0) & 0x0F) << 12) | ((at(1) & 0x3F) << 6) | (at(2) & 0x3F), 3, true};
    default:
      return {((at(0) & 0x07) << 18) | ((at(1) & 0x3F) << 12) | ((at(2) & 0x3F) << 6) | (at(3) & 0x3F), 4, true};
  }
}

void AppendUtf8(char32_t value, std::string& out) {
  const auto add = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (value < 0x80) {
    add(value);
  } else if (value < 0x800) {
    add(0xC0 | (value >> 6));
    add(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    add(0xE0 | (value >> 12));
    add(0x80 | ((value >> 6) & 0x3F));
    add(0x80 | (value & 0x3F));
  } else {
    add(0xF0 | (value >> 18));
    add(0x80 | ((value >> 12) & 0x3F));
    add(0x80 | ((value >> 6) & 0x3F));
    add(0x80 | (value & 0x3F));
  }
}

bool IsValidUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    bool whole = false;
    i += PrefixLength(text, i, &whole);
    if (!whole) return false;
  }
  return true;
}

std::string RepairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    bool whole = false;
    const size_t length = PrefixLength(text, i, &whole);
    if (whole) {
      out.append(text.substr(i, length));
    } else {
      AppendUtf8(0xFFFD, out);
    }
    i += length;
  }
  return out;
}

}  // namespace heterosis
