// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/cli/format.
#include "coordinator/cli/format.h"

#include <gtest/gtest.h>

namespace heterosis {
namespace {

TEST(FormatTest, PercentsHaveOneDecimalOrADash) {
  EXPECT_EQ(Percent(0.6581), "65.8%");
  EXPECT_EQ(Percent(1.0), "100.0%");
  EXPECT_EQ(Percent(std::nullopt), "-");
}

TEST(FormatTest, IntervalsAreWilsons) {
  // 79 of 120: z = 1.96 gives [0.5698, 0.7372] by the formula of Wilson (1927).
  EXPECT_EQ(PercentWithInterval(79.0 / 120, 120), "65.8% [57.0, 73.7]");
  EXPECT_EQ(PercentWithInterval(std::nullopt, 120), "-");
  EXPECT_EQ(PercentWithInterval(0.5, 0), "50.0%");
}

TEST(FormatTest, ColumnsAreAlignedAndHaveNoTrailingBlanks) {
  EXPECT_EQ(Columns({{"name", "n"}, {"a", "100"}, {"", "7"}}, 1), "name    n\na     100\n        7\n");
  EXPECT_EQ(Columns({{"a", ""}, {"bb", ""}}, 2), "a\nbb\n");
}

TEST(FormatTest, WidthsAreCharactersNotBytes) {
  EXPECT_EQ(Columns({{"日本", "1"}, {"ab", "2"}}, 1), "日本  1\nab  2\n");
}

TEST(FormatTest, CsvQuotesWhatWouldBreakALine) {
  EXPECT_EQ(CsvLine({"a", "b c", ""}), "a,b c,\r\n");
  EXPECT_EQ(CsvLine({"a,b", "say \"hi\"", "two\nlines"}), "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
}

}  // namespace
}  // namespace heterosis
