// SPDX-License-Identifier: Apache-2.0
// The robust reading of an answer: what its writer meant (the rules are number.h's).
#include <algorithm>

#include "common/scoring/characters.h"
#include "common/scoring/number_search.h"

namespace heterosis {
namespace {

// The full-width and typographic forms of "," "." "-" "+" as ASCII. Dashes and the Japanese long-vowel mark are no
// minus: they join and stretch.
char32_t AsciiMark(char32_t character) {
  switch (character) {
    case U'\uFF0C':
      return U',';
    case U'\uFF0E':
      return U'.';
    case U'\u2212':
    case U'\uFF0D':
      return U'-';
    case U'\uFF0B':
      return U'+';
    default:
      return character;
  }
}

class Reader {
 public:
  explicit Reader(std::u32string_view text) : text_(text) {}

  std::optional<std::string> LastNumber() const {
    std::optional<std::string> last;
    for (size_t i = 0; i < text_.size();) {
      std::string digits;
      const size_t end = TakeUnsigned(i, digits);
      if (end == i) {
        ++i;
        continue;
      }
      if (!IsExponent(i)) last = (IsNegative(i) ? "-" : "") + digits;
      i = end;
    }
    return last;
  }

 private:
  // The character at `i`, 0 outside the text.
  char32_t At(size_t i) const { return i < text_.size() ? text_[i] : U'\0'; }
  char32_t Before(size_t i) const { return i > 0 ? text_[i - 1] : U'\0'; }

  size_t TakeDigits(size_t i, std::string& digits) const {
    for (; IsAsciiDigit(At(i)); ++i) digits += static_cast<char>(At(i));
    return i;
  }

  // Whether a comma and exactly three digits follow.
  bool IsThousandsGroup(size_t i) const {
    return At(i) == U',' && IsAsciiDigit(At(i + 1)) && IsAsciiDigit(At(i + 2)) && IsAsciiDigit(At(i + 3)) &&
           !IsAsciiDigit(At(i + 4));
  }

  // Appends the number without sign that begins at `i` and returns its end; `i` where none begins.
  size_t TakeUnsigned(size_t i, std::string& digits) const {
    const size_t begin = i;
    i = TakeDigits(i, digits);
    if (i > begin && i - begin <= 3) {
      while (IsThousandsGroup(i)) i = TakeDigits(i + 1, digits);
    }
    const bool has_fraction = At(i) == U'.' && IsAsciiDigit(At(i + 1));
    if (!has_fraction || (i == begin && !IsLeadingPoint(i))) return i;
    digits += '.';
    return TakeDigits(i + 1, digits);
  }

  // Whether the point at `i`, without a digit of its number before it, may open a number: after a word, a bracket, or
  // another number it ends a sentence or a list's numeral ("balls.5個", "1.2.3").
  bool IsLeadingPoint(size_t i) const {
    const char32_t before = Before(i);
    return !IsAsciiDigit(before) && !IsLetter(before) && !IsClosingBracket(before) && before != U'.';
  }

  bool IsNegative(size_t i) const {
    while (IsCurrency(Before(i))) --i;
    if (Before(i) != U'-') return false;
    const char32_t operand = Before(i - 1);
    return !IsAsciiDigit(operand) && !IsLatinLetter(operand) && !IsClosingBracket(operand);
  }

  // Whether the number at `i` is what a ^ raises to: ^2, ^-2, ^{2}, ^(2).
  bool IsExponent(size_t i) const {
    if (Before(i) == U'-' || Before(i) == U'+') --i;
    if (Before(i) == U'{' || Before(i) == U'(') --i;
    return Before(i) == U'^';
  }

  const std::u32string_view text_;
};

// What stands between the brace before `begin` and the one that closes it, or the text's end.
std::u32string_view BracedContent(std::u32string_view text, size_t begin) {
  size_t depth = 1;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == U'{') ++depth;
    if (text[i] == U'}' && --depth == 0) return text.substr(begin, i - begin);
  }
  return text.substr(begin);
}

std::optional<std::string> LastBoxedNumber(std::u32string_view text) {
  constexpr std::u32string_view kBox = U"\\boxed{";
  for (size_t box = text.rfind(kBox); box != std::u32string_view::npos;
       box = box == 0 ? std::u32string_view::npos : text.rfind(kBox, box - 1)) {
    const std::optional<std::string> number = Reader(BracedContent(text, box + kBox.size())).LastNumber();
    if (number.has_value()) return number;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindNumberRobustly(std::u32string_view text) {
  std::u32string plain(text);
  std::transform(plain.begin(), plain.end(), plain.begin(), AsciiMark);
  const std::optional<std::string> boxed = LastBoxedNumber(plain);
  return boxed.has_value() ? boxed : Reader(plain).LastNumber();
}

}  // namespace heterosis
