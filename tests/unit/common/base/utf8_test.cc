// SPDX-License-Identifier: Apache-2.0
// UTF-8 decoding, encoding and repair, with the Unicode standard's own examples.
#include "common/base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace heterosis {
namespace {

bool IsScalar(char32_t value) {
  return value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    if (!IsScalar(value)) continue;
    std::string text;
    AppendUtf8(value, text);
    const CodePoint point = DecodeUtf8(text, 0);
    ASSERT_TRUE(point.valid) << std::hex << static_cast<uint32_t>(value);
    ASSERT_EQ(point.value, value);
    ASSERT_EQ(point.length_bytes, text.size());
    ASSERT_TRUE(IsValidUtf8(text));
    ASSERT_EQ(RepairUtf8(text), text);
  }
}

// Accepts just the two-, three- and four-byte texts that encode something in the shortest way.
TEST(Utf8, ExactlyTheShortestFormsAreValid) {
  int valid_pairs = 0;
  int valid_triples = 0;
  for (int a = 0x80; a < 0x100; ++a) {
    for (int b = 0; b < 0x100; ++b) {
      const std::string pair{static_cast<char>(a), static_cast<char>(b)};
      const CodePoint point = DecodeUtf8(pair, 0);
      valid_pairs += point.valid;
      if (!point.valid) {
        ASSERT_EQ(point.length_bytes, 1u);
        ASSERT_EQ(point.value, static_cast<char32_t>(a));
      }
      for (int c = 0x80; c < 0xC0; ++c) {
        const CodePoint triple = DecodeUtf8(pair + static_cast<char>(c), 0);
        valid_triples += triple.valid && triple.length_bytes == 3;
      }
    }
  }
  EXPECT_EQ(valid_pairs, 0x800 - 0x80);
  EXPECT_EQ(valid_triples, 0x10000 - 0x800 - 0x800);  // all but the shorter ones and the surrogates
}

TEST(Utf8, DecodesInTheMiddleOfAText) {
  const std::string text = "aあ😀";
  EXPECT_EQ(DecodeUtf8(text, 1).value, U'あ');
  EXPECT_EQ(DecodeUtf8(text, 4).value, U'😀');
  EXPECT_FALSE(DecodeUtf8(text, 2).valid);
  EXPECT_FALSE(DecodeUtf8(std::string_view(text).substr(0, 6), 4).valid);  // cut off
}

// Expected texts: tables 3-8 to 3-11 of Unicode 15, and bytes.decode(errors="replace") in Python.
TEST(Utf8, EachMaximalBrokenSequenceBecomesOneReplacement) {
  const auto repaired = [](std::string_view text) {
    std::string out = RepairUtf8(text);
    for (size_t i; (i = out.find("\uFFFD")) != std::string::npos;) out.replace(i, 3, "?");
    return out;
  };
  EXPECT_EQ(repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), "????????A");
  EXPECT_EQ(repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), "????????A");
  EXPECT_EQ(repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "?????A??B");
  EXPECT_EQ(repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "????A");
  EXPECT_EQ(repaired("a\xE3\x81"), "a?");
  EXPECT_EQ(repaired("\xF0\x9F\x98"), "?");
  EXPECT_EQ(repaired("\xE3\x81\xE3\x81\x82"), "?あ");
  EXPECT_EQ(repaired("\xF5\xFE\x80"), "???");
  EXPECT_EQ(repaired(""), "");
}

TEST(Utf8, BrokenTextIsNotValidAndRepairedTextIs) {
  for (const std::string_view broken : {"\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80", "ok\xE3\x81", "\xFF"}) {
    EXPECT_FALSE(IsValidUtf8(broken));
    EXPECT_TRUE(IsValidUtf8(RepairUtf8(broken)));
  }
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace heterosis
