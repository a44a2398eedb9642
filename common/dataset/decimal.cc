// SPDX-License-Identifier: Apache-2.0
// Implements decimal.h.
#include "common/dataset/decimal.h"

#include <array>
#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"

namespace heterosis {
namespace {

std::string_view TakeDigits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// The digits before the point, without thousands commas; `text` is left at what follows. A comma that does not begin a
// group of three digits is left too.
std::string TakeWhole(std::string_view& text) {
  std::string digits(TakeDigits(text));
  if (digits.empty() || digits.size() > 3) return digits;
  while (text.starts_with(',')) {
    std::string_view rest = text.substr(1);
    const std::string_view group = TakeDigits(rest);
    if (group.size() != 3) break;
    digits += group;
    text = rest;
  }
  return digits;
}

}  // namespace

std::optional<std::string> PlainDecimal(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string digits = TakeWhole(text);
  std::string_view whole = digits;
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = TakeDigits(text);
    if (fraction.empty()) return std::nullopt;
  }
  if (!text.empty() || (whole.empty() && fraction.empty())) return std::nullopt;
  while (whole.starts_with('0')) whole.remove_prefix(1);
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  if (whole.empty() && fraction.empty()) return "0";
  std::string plain = negative ? "-" : "";
  plain += whole.empty() ? "0" : whole;
  if (!fraction.empty()) (plain += '.') += fraction;
  return plain;
}

std::optional<std::string> PlainDecimal(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  std::array<char, 400> buffer;  // the longest double, 5e-324, has 326 characters
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed).ptr;
  return PlainDecimal(std::string_view(buffer.data(), static_cast<size_t>(end - buffer.data())));
}

std::optional<std::string> ParseGoldAnswer(std::string_view text) {
  const size_t mark = text.rfind("####");
  if (mark != std::string_view::npos) text.remove_prefix(mark + 4);
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  constexpr std::string_view kMinusSign = "\u2212";
  if (text.starts_with(kMinusSign)) return PlainDecimal("-" + std::string(text.substr(kMinusSign.size())));
  return PlainDecimal(text);
}

}  // namespace heterosis
