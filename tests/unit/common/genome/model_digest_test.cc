// SPDX-License-Identifier: Apache-2.0
// The identity of a model's folder: what changes it and what does not.
#include "common/genome/model_digest.h"

#include <unistd.h>

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

TEST(ModelDigest, CountsAllThatDecidesPromptsAndTokens) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", "{}").ok());
  std::string before = ModelDigest(folder.path()).value();
  for (const char* name : {"added_tokens.json", "chat_template.jinja", "special_tokens_map.json", "tokenizer.model",
                           "tokenizer_config.json", "generation_config.json", "model.safetensors.index.json"}) {
    ASSERT_TRUE(WriteFileAtomic(folder / name, "{}").ok());
    const std::string after = ModelDigest(folder.path()).value();
    EXPECT_NE(after, before) << name;
    before = after;
  }
}

TEST(ModelDigest, BrokenLinksBesideTheFilesDoNotMatter) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", "{}").ok());
  const std::string digest = ModelDigest(folder.path()).value();
  ASSERT_EQ(symlink("loop", (folder / "loop").c_str()), 0);
  EXPECT_EQ(ModelDigest(folder.path()).value(), digest);
}

TEST(ModelDigest, AMissingFolderIsNotFound) {
  EXPECT_EQ(ModelDigest("/no/such/folder").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
