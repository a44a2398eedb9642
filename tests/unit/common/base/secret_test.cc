// SPDX-License-Identifier: Apache-2.0
// Tests of common/base/secret.
#include "common/base/secret.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

class SecretFileTest : public ::testing::Test {
 protected:
  std::string Write(std::string_view content, mode_t mode) {
    const std::string path = folder_ / "secret";
    EXPECT_TRUE(WriteFileAtomic(path, content).ok());
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  TemporaryFolder folder_;
};

TEST_F(SecretFileTest, AFileOfItsOwnerIsRead) {
  EXPECT_EQ(*ReadSecretFile(Write("abc\n", 0600), "--token-file"), "abc\n");
  EXPECT_EQ(*ReadSecretFile(Write("abc\n", 0400), "--token-file"), "abc\n");
}

TEST_F(SecretFileTest, AFileThatOthersMayReadIsRefusedWithTheRemedy) {
  for (const mode_t mode : {0640, 0604, 0660, 0601, 0777}) {
    const absl::Status status = ReadSecretFile(Write("hidden", mode), "--token-file").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_THAT(std::string(status.message()), HasSubstr("chmod 600"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hidden")));
  }
}

TEST_F(SecretFileTest, WhatIsNoFileIsRefused) {
  EXPECT_EQ(ReadSecretFile(folder_ / "none", "--tls-key").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(ReadSecretFile(folder_.path(), "--tls-key").ok());
  EXPECT_FALSE(ReadSecretFile("/dev/null", "--tls-key").ok());
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(ReadSecretFile(pipe, "--tls-key").ok());  // and does not wait for a writer
  EXPECT_FALSE(ReadSecretFile(Write(std::string(2 << 20, 'x'), 0600), "--tls-key").ok());
}

TEST(TokenTest, ShortOnesAndThoseThatNoHeaderCarriesAreRefused) {
  EXPECT_TRUE(CheckToken(kToken).ok());
  EXPECT_TRUE(CheckToken("AZaz09-._~+/===========").ok());
  EXPECT_FALSE(CheckToken("0123456789abcde").ok());
  EXPECT_FALSE(CheckToken(std::string(513, 'a')).ok());
  for (const char* bad : {" ", ",", "\"", "\n", "\x7f", "\xc3\xa4", ":"}) {
    const absl::Status status = CheckToken(std::string(kToken) + bad);
    EXPECT_FALSE(status.ok()) << bad;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(kToken)));
  }
  EXPECT_FALSE(CheckToken(std::string_view("0123456789abcdef\0", 17)).ok());
}

TEST(TokenTest, AClientsFileHasOneTokenWithOrWithoutARole) {
  EXPECT_EQ(*OnlyToken("# mine\n\n  worker 0123456789abcdef0123456789abcdef\r\n", "f"), kToken);
  EXPECT_EQ(*OnlyToken("0123456789abcdef0123456789abcdef", "f"), kToken);
  EXPECT_FALSE(OnlyToken("", "f").ok());
  EXPECT_FALSE(OnlyToken("# 0123456789abcdef0123456789abcdef", "f").ok());
  EXPECT_FALSE(OnlyToken("a b 0123456789abcdef0123456789abcdef", "f").ok());
  EXPECT_FALSE(OnlyToken("0123456789abcdef0123456789abcdef\n0123456789abcdef0123456789abcdee", "f").ok());
}

TEST(TokenTest, RandomOnesAreTokensAndDiffer) {
  const std::string one = RandomToken();
  EXPECT_EQ(one.size(), 64u);
  EXPECT_TRUE(CheckToken(one).ok());
  EXPECT_NE(one, RandomToken());
}

TEST(TokenTest, SecretsAreTheSameOnlyInEveryByte) {
  EXPECT_TRUE(SameSecret("", ""));
  EXPECT_TRUE(SameSecret(kToken, std::string(kToken)));
  EXPECT_FALSE(SameSecret("abc", "ab"));
  for (size_t i = 0; i < 3; ++i) {
    std::string other = "abc";
    other[i] = static_cast<char>(other[i] ^ 0x80);
    EXPECT_FALSE(SameSecret("abc", other)) << i;
  }
}

}  // namespace
}  // namespace heterosis
