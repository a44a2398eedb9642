// SPDX-License-Identifier: Apache-2.0
// The properties of characters that number extraction rests on.
#include "common/scoring/characters.h"

#include "gtest/gtest.h"

namespace heterosis {
namespace {

TEST(Characters, DecimalDigitsOfEveryScriptHaveTheirValue) {
  // The zeros of ASCII, Arabic-Indic, Devanagari, Thai, full-width, and the five mathematical sets, which adjoin.
  for (const char32_t zero : {U'0', U'\u0660', U'\u0966', U'\u0E50', U'\uFF10', U'\U0001D7CE', U'\U0001D7D8',
                              U'\U0001D7E2', U'\U0001D7EC', U'\U0001D7F6'}) {
    for (int value = 0; value < 10; ++value) {
      EXPECT_EQ(DecimalDigitValue(zero + static_cast<char32_t>(value)), value)
          << std::hex << static_cast<uint32_t>(zero);
    }
  }
}

TEST(Characters, OtherNumeralsAreNoDecimalDigits) {
  for (const char32_t other : {U'a', U'/', U':', U'\u00B2', U'\u00BD', U'\u2160', U'\u2460', U'\u3007', U'\u4E94',
                               U'\uFFFD', char32_t{0}, char32_t{0x10FFFF}}) {
    EXPECT_EQ(DecimalDigitValue(other), std::nullopt) << std::hex << static_cast<uint32_t>(other);
  }
}

TEST(Characters, KindsAreTold) {
  for (const char32_t letter : {U'a', U'Z', U'é', U'\uFF21', U'\uFF5A'}) EXPECT_TRUE(IsLatinLetter(letter));
  for (const char32_t other : {U'1', U'あ', U'漢', U'я', U'\u00D7', U'\uFF3B', U'-'})
    EXPECT_FALSE(IsLatinLetter(other));
  for (const char32_t letter : {U'a', U'あ', U'ー', U'漢', U'я'}) EXPECT_TRUE(IsLetter(letter));
  for (const char32_t other : {U'1', U' ', U'、', U'\u00D7'}) EXPECT_FALSE(IsLetter(other));
  for (const char32_t sign : {U'$', U'¥', U'￥', U'€', U'₹'}) EXPECT_TRUE(IsCurrency(sign));
  EXPECT_FALSE(IsCurrency(U'円'));
  for (const char32_t bracket : {U')', U']', U'}', U'）', U'」', U'】'}) EXPECT_TRUE(IsClosingBracket(bracket));
  for (const char32_t other : {U'(', U'「', U'>'}) EXPECT_FALSE(IsClosingBracket(other));
}

TEST(Characters, DecodingTurnsDigitsToAsciiAndBrokenBytesToReplacements) {
  EXPECT_EQ(DecodeWithAsciiDigits("a１٣あ"), U"a13あ");
  EXPECT_EQ(DecodeWithAsciiDigits("\xFFx\xE3\x81"), U"\uFFFDx\uFFFD\uFFFD");
  EXPECT_EQ(DecodeWithAsciiDigits(""), U"");
}

}  // namespace
}  // namespace heterosis
