// SPDX-License-Identifier: Apache-2.0
// SHA-256 with the known answers of FIPS 180-2.
#include "common/base/digest.h"

#include "common/base/file.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMillion[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, HasTheKnownAnswers) {
  EXPECT_EQ(Sha256(""), kEmpty);
  EXPECT_EQ(Sha256("abc"), kAbc);
  EXPECT_EQ(Sha256(std::string(1'000'000, 'a')), kMillion);
  EXPECT_NE(Sha256(std::string_view("a\0b", 3)), Sha256("a"));
}

TEST(Sha256, FilesHaveTheDigestOfTheirContent) {
  const TemporaryFolder folder;
  for (const auto& [content, digest] :
       {std::pair<std::string, std::string>{"", kEmpty}, {"abc", kAbc}, {std::string(1'000'000, 'a'), kMillion}}) {
    ASSERT_TRUE(WriteFileAtomic(folder / "file", content).ok());
    EXPECT_EQ(*Sha256OfFile(folder / "file"), digest);
  }
  EXPECT_EQ(Sha256OfFile(folder / "none").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
