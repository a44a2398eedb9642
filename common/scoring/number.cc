// SPDX-License-Identifier: Apache-2.0
// Implements number.h; number_paper.cc and number_robust.cc find the number.
#include "common/scoring/number.h"

#include "absl/strings/numbers.h"
#include "common/dataset/decimal.h"
#include "common/scoring/characters.h"
#include "common/scoring/number_search.h"

namespace heterosis {

std::optional<Number> ExtractNumber(std::string_view text, NumberMode mode) {
  const std::u32string characters = DecodeWithAsciiDigits(text);
  const std::optional<std::string> found =
      mode == NumberMode::kPaper ? FindNumberOfPaper(characters) : FindNumberRobustly(characters);
  if (!found.has_value()) return std::nullopt;
  std::optional<std::string> plain = PlainDecimal(*found);
  if (!plain.has_value()) return std::nullopt;
  Number number;
  number.text = *std::move(plain);
  // Independent of the locale, rounds to nearest, gives an infinity where the number is too large for a double.
  if (!absl::SimpleAtod(number.text, &number.value)) return std::nullopt;
  return number;
}

}  // namespace heterosis
