// SPDX-License-Identifier: Apache-2.0
// Row ranges: what Python's slices select.
#include "common/dataset/row_range.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

RowRange Rows(std::string_view text, size_t row_count) {
  const absl::StatusOr<RowRange> range = ParseRowRange(text, row_count);
  EXPECT_TRUE(range.ok()) << text << ": " << range.status();
  return range.value_or(RowRange{99, 0});
}

TEST(RowRange, SelectsWhatAPythonSliceDoes) {
  EXPECT_EQ(Rows("", 10), (RowRange{0, 10}));
  EXPECT_EQ(Rows(":", 10), (RowRange{0, 10}));
  EXPECT_EQ(Rows("2:5", 10), (RowRange{2, 5}));
  EXPECT_EQ(Rows(":5", 10), (RowRange{0, 5}));
  EXPECT_EQ(Rows("5:", 10), (RowRange{5, 10}));
  EXPECT_EQ(Rows("-3:", 10), (RowRange{7, 10}));
  EXPECT_EQ(Rows(":-3", 10), (RowRange{0, 7}));
  EXPECT_EQ(Rows("-5:-2", 10), (RowRange{5, 8}));
  EXPECT_EQ(Rows("0:869", 1069), (RowRange{0, 869}));
  EXPECT_EQ(Rows("-200:", 1069), (RowRange{869, 1069}));
}

TEST(RowRange, BoundsPastTheEndsAreCutAndNeverCross) {
  EXPECT_EQ(Rows("0:100", 10), (RowRange{0, 10}));
  EXPECT_EQ(Rows("-100:3", 10), (RowRange{0, 3}));
  EXPECT_EQ(Rows("100:", 10), (RowRange{10, 10}));
  EXPECT_EQ(Rows(":-100", 10), (RowRange{0, 0}));
  EXPECT_EQ(Rows("5:2", 10), (RowRange{5, 5}));
  EXPECT_EQ(Rows("3:3", 10), (RowRange{3, 3}));
  EXPECT_EQ(Rows("1:2", 0), (RowRange{0, 0}));
  EXPECT_EQ(Rows("-9223372036854775808:9223372036854775807", 10), (RowRange{0, 10}));
}

TEST(RowRange, AnythingElseSaysHowRangesAreWritten) {
  for (const std::string_view text :
       {"5", "a:b", "1:2:3", "1-5", "1.5:2", " 1:2", "1: 2", "0x1:2", "9223372036854775808:", "::", "1:+2"}) {
    const absl::Status status = ParseRowRange(text, 10).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("write rows as \"first:end\"")) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"" + std::string(text) + "\""));
  }
}

}  // namespace
}  // namespace heterosis
