// SPDX-License-Identifier: Apache-2.0
// What other programs are started with.
#include "common/base/exec.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(Exec, PointersEndWithNull) {
  std::vector<std::string> words = {"a", "bc"};
  const std::vector<char*> pointers = Pointers(words);
  ASSERT_EQ(pointers.size(), 3U);
  EXPECT_STREQ(pointers[1], "bc");
  EXPECT_EQ(pointers[2], nullptr);
}

TEST(Exec, NoTokenIsHandedDown) {
  setenv("HETEROSIS_TOKEN", "of the worker", 1);
  setenv("HETEROSIS_TOKENS", "of all", 1);
  setenv("HETEROSIS_TOKENIZER", "another variable", 1);
  const std::vector<std::string> environment = EnvironmentWithoutTokens();
  EXPECT_THAT(environment, Contains("HETEROSIS_TOKENIZER=another variable"));
  EXPECT_THAT(environment, Not(Contains(HasSubstr("of the worker"))));
  EXPECT_THAT(environment, Not(Contains(HasSubstr("of all"))));
  for (const char* name : {"HETEROSIS_TOKEN", "HETEROSIS_TOKENS", "HETEROSIS_TOKENIZER"}) unsetenv(name);
}

}  // namespace
}  // namespace heterosis
