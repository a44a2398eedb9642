// SPDX-License-Identifier: Apache-2.0
// Plain decimal numbers as text: one way of writing each value, so that equal numbers are equal texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace heterosis {

// The plain form of [sign]digits[.digits] or [sign].digits in ASCII: no plus, no needless zeros, no "-0"; thousands
// commas are removed where every group has three digits. "-01,234.50" -> "-1234.5". Anything else is no number.
std::optional<std::string> PlainDecimal(std::string_view text);

// The shortest plain decimal that reads back as `value`; nothing for NaN and infinities.
std::optional<std::string> PlainDecimal(double value);

// The right answer as data sets write it: a decimal with blanks around it, U+2212 for a minus, or a worked solution
// in the manner of GSM8K, whose answer follows the last "####".
std::optional<std::string> ParseGoldAnswer(std::string_view text);

}  // namespace heterosis
