// SPDX-License-Identifier: Apache-2.0
// Reads the number that an answer ends in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/trial/task.h"

namespace heterosis {

// A number found in a text: `text` is its plain decimal form (common/dataset/decimal.h), `value` the nearest double,
// infinite where it is too large for one.
struct Number {
  std::string text;
  double value = 0;
  bool operator==(const Number&) const = default;
};

// The last number of `text`, or nothing. Bytes that are not UTF-8 are no digits.
//
// kPaper is the authors' code, bit for bit: the last match of Python's \d*\.?\d+ (decimal digits of every script) as
// a float. So "1,000" reads as 0 and a minus is dropped.
//
// kRobust reads what the writer meant: thousands commas, a sign (ASCII, U+2212, full-width), digits of every script,
// full-width comma and period, a currency between sign and number, whatever unit follows; the content of the last
// \boxed{} that holds a number goes before all else. A minus after a digit, a Latin letter or a closing bracket is a
// subtraction; a number after ^ is an exponent and is passed over. Fractions and Japanese number words (8万) are not
// put together.
std::optional<Number> ExtractNumber(std::string_view text, NumberMode mode);

}  // namespace heterosis
