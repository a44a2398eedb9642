// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/service/tokens.
#include "coordinator/service/tokens.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace heterosis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kWorker(32, 'w');
const std::string kReader(32, 'r');
const std::string kAdmin(32, 'a');

Tokens All() {
  return *Tokens::Parse("# who\nworker " + kWorker + "\n\nreader\t" + kReader + "\r\nadmin " + kAdmin, "tokens");
}

TEST(TokensTest, EachRoleMayDoItsOwnAndAnAdminReadsToo) {
  const Tokens tokens = All();
  const std::string worker = "Bearer " + kWorker, reader = "bearer " + kReader, admin = "BEARER " + kAdmin;
  EXPECT_TRUE(tokens.Check(worker, Role::kWorker).ok());
  EXPECT_TRUE(tokens.Check(reader, Role::kReader).ok());
  EXPECT_TRUE(tokens.Check(admin, Role::kAdmin).ok());
  EXPECT_TRUE(tokens.Check(admin, Role::kReader).ok());
  for (const auto& [header, role] : {std::pair{worker, Role::kReader},
                                     {worker, Role::kAdmin},
                                     {reader, Role::kWorker},
                                     {reader, Role::kAdmin},
                                     {admin, Role::kWorker}}) {
    const absl::Status status = tokens.Check(header, role);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << header;
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(Name(role))));
  }
}

TEST(TokensTest, WhatIsNoTokenOfTheirsIsUnknown) {
  const Tokens tokens = All();
  const std::vector<std::string> headers = {"",
                                            kWorker,
                                            "Basic " + kWorker,
                                            "Bearer",
                                            "Bearer ",
                                            "Bearer  " + kWorker,
                                            "Bearer " + kWorker + " ",
                                            "Bearer " + kWorker.substr(1),
                                            "Bearer " + kWorker + "w",
                                            "Bearer " + std::string(100'000, 'w'),
                                            "Bearer worker " + kWorker,
                                            std::string("Bearer \0", 8)};
  for (const std::string& header : headers) {
    const absl::Status status = tokens.Check(header, Role::kWorker);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << header.substr(0, 50);
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(kWorker)));
  }
  EXPECT_EQ(Tokens().Check("Bearer " + kWorker, Role::kReader).code(), absl::StatusCode::kUnauthenticated);
}

TEST(TokensTest, ARoleMayHaveSeveralTokens) {
  const Tokens tokens = *Tokens::Parse("worker " + kWorker + "\nworker " + kReader, "tokens");
  EXPECT_TRUE(tokens.Check("Bearer " + kWorker, Role::kWorker).ok());
  EXPECT_TRUE(tokens.Check("Bearer " + kReader, Role::kWorker).ok());
}

TEST(TokensTest, AWrongFileIsToldByLineAndNeverByToken) {
  const std::string secret(32, 's');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "has no token"},
      {"# worker " + secret, "has no token"},
      {"\n" + secret, "tokens:2: write `ROLE TOKEN`"},
      {"worker " + secret + " x", "tokens:1: write `ROLE TOKEN`"},
      {secret + " worker", "tokens:1: a line begins with worker, reader or admin"},
      {"root " + secret, "tokens:1: a line begins with"},
      {"worker short", "tokens:1: a token has 16 to 512 characters"},
      {"worker " + secret + "\nadmin " + secret, "tokens:2: this token stands here twice"},
  };
  for (const auto& [text, error] : cases) {
    const absl::Status status = Tokens::Parse(text, "tokens").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(error));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace heterosis
