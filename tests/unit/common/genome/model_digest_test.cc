// SPDX-License-Identifier: Apache-2.0
// The identity of a model's folder: what changes it and what does not.
#include "common/genome/model_digest.h"

#include "common/base/file.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

TEST(ModelDigest, DependsOnTheFilesThatCountAndOnNothingElse) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", "{}").ok());
  ASSERT_TRUE(WriteFileAtomic(folder / "model.safetensors", "weights").ok());
  const std::string digest = ModelDigest(folder.path()).value();
  EXPECT_EQ(digest.size(), 64u);
  ASSERT_TRUE(WriteFileAtomic(folder / "README.md", "a card").ok());
  EXPECT_EQ(ModelDigest(folder.path()).value(), digest);
  ASSERT_TRUE(WriteFileAtomic(folder / "tokenizer.json", "{}").ok());
  const std::string with_tokenizer = ModelDigest(folder.path()).value();
  EXPECT_NE(with_tokenizer, digest);
  ASSERT_TRUE(WriteFileAtomic(folder / "model.safetensors", "weightS").ok());
  EXPECT_NE(ModelDigest(folder.path()).value(), with_tokenizer);
}

TEST(ModelDigest, AMissingFolderIsNotFound) {
  EXPECT_EQ(ModelDigest("/no/such/folder").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
