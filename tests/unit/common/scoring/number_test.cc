// SPDX-License-Identifier: Apache-2.0
// The number that an answer ends in, in both modes. tests/differential/scoring compares paper mode with Python itself.
#include "common/scoring/number.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

// The plain decimal read from `text`, "none" where there is no number.
std::string Read(std::string_view text, NumberMode mode) {
  const std::optional<Number> number = ExtractNumber(text, mode);
  return number.has_value() ? number->text : "none";
}
std::string ReadPaper(std::string_view text) {
  return Read(text, NumberMode::kPaper);
}
std::string ReadRobust(std::string_view text) {
  return Read(text, NumberMode::kRobust);
}

struct Case {
  std::string_view text;
  std::string_view expected;
};

TEST(PaperNumber, IsTheLastMatchOfTheAuthorsExpression) {
  constexpr Case kCases[] = {
      {"", "none"},
      {"答えはありません。", "none"},
      {".", "none"},
      {"...", "none"},
      {"-", "none"},
      {"7", "7"},
      {"答えは11です。", "11"},
      {"5+6=11。答えは11です", "11"},
      {"1,000", "0"},            // the quirk: three matches, the last is 000
      {"12,345", "345"},         //
      {"-5", "5"},               // the minus is dropped
      {"3.14", "3.14"},          //
      {".5", "0.5"},             //
      {"5.", "5"},               // the point is left behind
      {"5.です", "5"},           //
      {"1.2.3", "0.3"},          // "1.2", ".3"
      {"1.2.3.4", "0.4"},        // "1.2", ".3", ".4"
      {"1..2", "0.2"},           // "1", ".2"
      {"balls.5個", "0.5"},      // the point of a sentence before
      {"007", "7"},              //
      {"20.00", "20"},           //
      {"x^2", "2"},              //
      {"\\boxed{42} 3", "3"},    //
      {"\\boxed{42}", "42"},     //
      {"答えは１２です", "12"},  // full-width
      {"１２.５", "12.5"},       //
      {"１２．５", "5"},         // a full-width period is no point
      {"٣٤", "34"},              // Arabic-Indic
      {"१२.5", "12.5"},          // Devanagari and ASCII in one match
      {"𝟏𝟐 𝟘 𝟿", "9"},           // mathematical digits
      {"²", "none"},             // a superscript is no decimal digit
      {"½", "none"},             //
      {"十二", "none"},          //
      {"8万", "8"},              //
      {"12:30", "30"},           //
      {"1e5", "5"},              //
      {"\xFF"
       "3\xC0",
       "3"},               // broken UTF-8 around a digit
      {"3\xEF\xBC", "3"},  // a full-width digit cut in the middle
      {std::string_view("4\0", 2), "4"},
      {std::string_view("4\0"
                        "5",
                        3),
       "5"},
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadPaper(c.text), c.expected) << c.text;
}

TEST(RobustNumber, ReadsThousandsCommas) {
  constexpr Case kCases[] = {
      {"答えは1,000です", "1000"},
      {"1,234,567.50円", "1234567.5"},
      {"12,345", "12345"},
      {"123,456", "123456"},
      {"１，０００円", "1000"},
      {"1,23", "23"},       // no group of three: two numbers
      {"1,2345", "2345"},   // four digits: two numbers
      {"1234,567", "567"},  // four before the comma: two numbers
      {"1,234,56", "56"},   //
      {"1, 234", "234"},    //
      {"1,000,", "1000"},   //
      {"1,000、2,000", "2000"},
      {"5個,10個", "10"},
      {"1、000", "0"},  // an ideographic comma lists
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadRobust(c.text), c.expected) << c.text;
}

TEST(RobustNumber, ReadsSignsAndTellsThemFromSubtractions) {
  constexpr Case kCases[] = {
      {"-5", "-5"},
      {"答えは-5です", "-5"},
      {"答えは−5です", "-5"},    // U+2212
      {"答えは－５です", "-5"},  // full-width
      {"答え:-1,234.5", "-1234.5"},
      {"The answer is -5", "-5"},
      {"x=-5", "-5"},
      {"(-5)", "-5"},
      {"+5", "5"},
      {"＋５", "5"},
      {"-0", "0"},
      {"-.5", "-0.5"},
      {"10-3", "3"},
      {"10−3", "3"},
      {"x-3", "3"},
      {"GPT-4", "4"},
      {"ｘ-3", "3"},  // a full-width letter
      {"(a+b)-3", "3"},
      {"（2）-3", "3"},
      {"[1]-3", "3"},
      {"10 - 3", "3"},  // a minus before a blank belongs to no number
      {"- 5", "5"},     // a list's dash
      {"10–20", "20"},  // an en dash: a range
      {"ボー5", "5"},   // the long-vowel mark
      {"-$5", "-5"},
      {"−￥1,000", "-1000"},
      {"-€2.50", "-2.5"},
      {"$-5", "-5"},
      {"10-$3", "3"},
      {"$5", "5"},
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadRobust(c.text), c.expected) << c.text;
}

TEST(RobustNumber, ReadsPointsOnlyWhereTheyAreDecimal) {
  constexpr Case kCases[] = {
      {"3.14", "3.14"},   {"３．１４", "3.14"}, {"答えは 0.5", "0.5"}, {"= .5", "0.5"},
      {"(.25)", "0.25"},  {"5.", "5"},          {"答えは5．", "5"},    {"balls.5個のボール", "5"},
      {"です．5個", "5"}, {"(1).5", "5"},       {"...5", "5"},         {"1.2.3", "3"},
      {"1..2", "2"},      {"20.00ドル", "20"},  {"007", "7"},
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadRobust(c.text), c.expected) << c.text;
}

TEST(RobustNumber, LeavesUnitsAndPassesOverExponents) {
  constexpr Case kCases[] = {
      {"50%", "50"},    {"50％です", "50"},   {"12kg", "12"},    {"8万", "8"},         {"100円", "100"},
      {"12cm^2", "12"}, {"12cm^{2}", "12"},   {"12cm^-2", "12"}, {"12cm^{-2}", "12"},  {"12cm^(2)", "12"},
      {"12cm²", "12"},  {"^2", "none"},       {"10 ^ 2", "2"},   {"12 m^2, 5 m", "5"}, {"12:30", "30"},
      {"", "none"},     {"答えなし", "none"}, {"十二", "none"},  {".", "none"},        {"-", "none"},
      {",", "none"},    {"$", "none"},        {"٣٤", "34"},      {"१,२३४", "1234"},
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadRobust(c.text), c.expected) << c.text;
}

TEST(RobustNumber, PrefersTheLastBoxThatHoldsANumber) {
  constexpr Case kCases[] = {
      {"\\boxed{42}", "42"},
      {"\\boxed{42} 以上、3ステップ", "42"},
      {"\\boxed{1} then \\boxed{2} in 3 steps", "2"},
      {"\\boxed{7} and \\boxed{x}", "7"},
      {"\\boxed{x} 5", "5"},
      {"\\boxed{} 5", "5"},
      {"\\boxed{-1,234}です。9", "-1234"},
      {"\\boxed{\\text{12} \\text{個}} 9", "12"},
      {"\\boxed{x^{2}=9} 4", "9"},
      {"\\boxed{５} 9", "5"},
      {"\\boxed{42", "42"},     // cut off
      {"\\boxed{4 }} 9", "4"},  // one brace too many
      {"\\boxed {42} 3", "3"},  // not LaTeX's form
      {"boxed{42} 3", "3"},
  };
  for (const Case& c : kCases) EXPECT_EQ(ReadRobust(c.text), c.expected) << c.text;
}

TEST(RobustNumber, BrokenUtf8IsNoDigitAndNoWord) {
  EXPECT_EQ(ReadRobust("\xFF"
                       "3\xC0"),
            "3");
  EXPECT_EQ(ReadRobust("\xFF.5"), "0.5");
  EXPECT_EQ(ReadRobust("\xFF-5"), "-5");
  EXPECT_EQ(ReadRobust("12\xEF\xBC"), "12");
  EXPECT_EQ(ReadRobust("\xFF\xFE\x80"), "none");
}

TEST(Number, ValueIsTheNearestDouble) {
  for (const NumberMode mode : {NumberMode::kPaper, NumberMode::kRobust}) {
    EXPECT_EQ(ExtractNumber("0.1", mode)->value, 0.1);
    EXPECT_EQ(ExtractNumber("9007199254740993", mode)->value, 9007199254740992.0);
    EXPECT_EQ(ExtractNumber("0.30000000000000004", mode)->value, 0.1 + 0.2);
    const std::string smallest = "0." + std::string(323, '0') + "5";
    EXPECT_EQ(ExtractNumber(smallest, mode)->value, std::numeric_limits<double>::denorm_min());
    EXPECT_EQ(ExtractNumber("0." + std::string(400, '0') + "5", mode)->value, 0);
  }
  EXPECT_EQ(ExtractNumber("-2.5", NumberMode::kRobust)->value, -2.5);
}

TEST(Number, TooLargeANumberIsInfiniteAndKeepsItsText) {
  const std::string large(400, '9');
  for (const NumberMode mode : {NumberMode::kPaper, NumberMode::kRobust}) {
    const std::optional<Number> number = ExtractNumber(large, mode);
    ASSERT_TRUE(number.has_value());
    EXPECT_EQ(number->text, large);
    EXPECT_EQ(number->value, std::numeric_limits<double>::infinity());
  }
  EXPECT_EQ(ExtractNumber("-" + large, NumberMode::kRobust)->value, -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace heterosis
