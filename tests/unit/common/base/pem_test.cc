// SPDX-License-Identifier: Apache-2.0
// Tests of common/base/pem with certificates that deploy/tls makes.
#include "common/base/pem.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

class PemTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new TemporaryFolder;
    ASSERT_EQ(std::system(("deploy/tls --out " + (*scratch_ / "tls") + " localhost >/dev/null").c_str()), 0);
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string Made(const std::string& name) { return (*scratch_ / "tls") + "/" + name; }
  static std::string Written(const std::string& name, const std::string& content) {
    const std::string path = *scratch_ / name;
    EXPECT_TRUE(WriteFileAtomic(path, content).ok());
    chmod(path.c_str(), 0600);
    return path;
  }
  static std::string Error(const std::string& certificate, const std::string& key) {
    return std::string(ReadKeyPair(certificate, key).status().message());
  }

  static inline TemporaryFolder* scratch_ = nullptr;
};

TEST_F(PemTest, WhatDeployTlsMakesIsRead) {
  const auto pair = ReadKeyPair(Made("coordinator.pem"), Made("coordinator.key"));
  ASSERT_TRUE(pair.ok()) << pair.status();
  EXPECT_THAT(pair->certificate_chain, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(pair->private_key, HasSubstr("PRIVATE KEY"));
  EXPECT_TRUE(ReadAuthorities(Made("ca.pem"), "--tls-ca").ok());
}

TEST_F(PemTest, AKeyOfAnotherCertificateIsRefused) {
  EXPECT_THAT(Error(Made("coordinator.pem"), Made("worker.key")), HasSubstr("is not the key of the certificate"));
}

TEST_F(PemTest, FilesOfAnotherKindAreNamed) {
  EXPECT_THAT(Error(Made("coordinator.key"), Made("coordinator.key")), HasSubstr("has no certificate"));
  EXPECT_THAT(Error(Made("coordinator.pem"), Written("x", "nothing")), HasSubstr("has no private key"));
  EXPECT_THAT(Error(*scratch_ / "none", Made("coordinator.key")), HasSubstr("--tls-cert"));
  EXPECT_THAT(Error(Made("coordinator.pem"), *scratch_ / "none"), HasSubstr("--tls-key"));
  EXPECT_FALSE(ReadAuthorities(Written("x", "nothing"), "--tls-ca").ok());
  EXPECT_FALSE(ReadAuthorities(*scratch_ / "none", "--tls-ca").ok());
}

TEST_F(PemTest, AKeyThatOthersMayReadIsRefused) {
  const std::string key = Written("open.key", *ReadFile(Made("coordinator.key")));
  EXPECT_TRUE(ReadKeyPair(Made("coordinator.pem"), key).ok());
  chmod(key.c_str(), 0644);
  EXPECT_THAT(Error(Made("coordinator.pem"), key), HasSubstr("chmod 600"));
}

TEST_F(PemTest, AnExpiredCertificateIsRefused) {
  const std::string path = *scratch_ / "old.pem";
  const std::string key = Made("coordinator.key");
  ASSERT_EQ(std::system(("openssl req -new -subj /CN=old -key " + key + " | openssl x509 -req -days -1 -signkey " +
                         key + " -out " + path + " 2>/dev/null")
                            .c_str()),
            0);
  EXPECT_THAT(Error(path, Made("coordinator.key")), HasSubstr("has expired"));
}

TEST_F(PemTest, AKeyWithAPassphraseIsRefusedWithoutAskingForIt) {
  const std::string path = *scratch_ / "locked.key";
  ASSERT_EQ(std::system(("openssl pkcs8 -topk8 -passout pass:secret -in " + Made("coordinator.key") + " -out " + path +
                         " && chmod 600 " + path)
                            .c_str()),
            0);
  EXPECT_THAT(Error(Made("coordinator.pem"), path), HasSubstr("without a passphrase"));
}

TEST_F(PemTest, DeployTlsOverwritesNothing) {
  const std::string before = *ReadFile(Made("ca.key"));
  EXPECT_NE(std::system(("deploy/tls --out " + (*scratch_ / "tls") + " localhost >/dev/null 2>&1").c_str()), 0);
  EXPECT_EQ(*ReadFile(Made("ca.key")), before);
}

TEST_F(PemTest, DeployTlsKeepsKeysAndTokensPrivate) {
  const std::vector<std::string> names = *ListFolder(*scratch_ / "tls");
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    struct stat status {};
    ASSERT_EQ(stat(Made(name).c_str(), &status), 0);
    if (!name.ends_with(".pem")) {
      EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
    }
  }
}

}  // namespace
}  // namespace heterosis
