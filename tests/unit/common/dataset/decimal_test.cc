// SPDX-License-Identifier: Apache-2.0
// Plain decimals and gold answers.
#include "common/dataset/decimal.h"

#include <cmath>
#include <cstdlib>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::Optional;

TEST(PlainDecimal, EqualValuesAreEqualTexts) {
  struct Case {
    std::string_view text, plain;
  };
  constexpr Case kCases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"+0.0", "0"},
      {"000", "0"},
      {"7", "7"},
      {"007", "7"},
      {"+7", "7"},
      {"-7", "-7"},
      {"7.0", "7"},
      {"7.50", "7.5"},
      {".5", "0.5"},
      {"-.5", "-0.5"},
      {"0.05", "0.05"},
      {"100", "100"},
      {"1,000", "1000"},
      {"12,345", "12345"},
      {"123,456", "123456"},
      {"1,234,567.80", "1234567.8"},
      {"-01,234.50", "-1234.5"},
      {"1000000000000000000000000000001", "1000000000000000000000000000001"},
  };
  for (const auto& [text, plain] : kCases) EXPECT_THAT(PlainDecimal(text), Optional(std::string(plain))) << text;
}

TEST(PlainDecimal, AnythingElseIsNoNumber) {
  for (const std::string_view text :
       {"",     "-",   "+",   ".",       "5.",    "-.",    "1,", ",1",       "1,23", "1,2345", "1234,567",
        "1,,0", "--1", "+-1", "1e5",     "0x10",  "1 000", " 1", "1 ",       "12a",  "1.2.3",  "1.5,000",
        "inf",  "nan", "１",  "\u22125", "1_000", "$5",    "5%", "1,000,00", "1/2"}) {
    EXPECT_EQ(PlainDecimal(text), std::nullopt) << text;
  }
}

TEST(PlainDecimal, DoublesAreWrittenShortestAndReadBack) {
  EXPECT_THAT(PlainDecimal(18.0), Optional(std::string("18")));
  EXPECT_THAT(PlainDecimal(-2.5), Optional(std::string("-2.5")));
  EXPECT_THAT(PlainDecimal(0.1), Optional(std::string("0.1")));
  EXPECT_THAT(PlainDecimal(-0.0), Optional(std::string("0")));
  EXPECT_THAT(PlainDecimal(1e21), Optional(std::string("1000000000000000000000")));
  for (const double value : {1.0 / 3, 5e-324, -1.7976931348623157e308, 123456789.123456789}) {
    const std::optional<std::string> text = PlainDecimal(value);
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(std::strtod(text->c_str(), nullptr), value);
  }
  EXPECT_EQ(PlainDecimal(std::nan("")), std::nullopt);
  EXPECT_EQ(PlainDecimal(-std::numeric_limits<double>::infinity()), std::nullopt);
}

TEST(ParseGoldAnswer, ReadsWhatDataSetsWrite) {
  struct Case {
    std::string_view text, plain;
  };
  constexpr Case kCases[] = {
      {"18", "18"},
      {" 18\r", "18"},
      {"8.0", "8"},
      {"1,800", "1800"},
      {"\u22125", "-5"},
      {"She makes 9 * 2 = $<<9*2=18>>18.\n#### 18", "18"},
      {"He owes.\n#### -10", "-10"},
      {"a #### 3\nb\n#### 4 \n", "4"},
      {"####5", "5"},
  };
  for (const auto& [text, plain] : kCases) EXPECT_THAT(ParseGoldAnswer(text), Optional(std::string(plain))) << text;
  for (const std::string_view text : {"", " ", "eighteen", "#### ", "18 ####", "the answer is 18", "#### 18 dollars"}) {
    EXPECT_EQ(ParseGoldAnswer(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace heterosis
