// SPDX-License-Identifier: Apache-2.0
// The log lines that programs and their supervisors read.
#include "common/base/logging.h"

#include <sstream>
#include <vector>

#include "common/base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::SizeIs;

// What `write` logs under the given settings, by line.
template <typename Write>
std::vector<std::string> Logged(LogFormat format, bool verbose, const Write& write) {
  testing::internal::CaptureStderr();
  InitLogging("worker", format, verbose);
  write();
  std::istringstream text(testing::internal::GetCapturedStderr());
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(Logging, JsonLinesStayValidWhateverTheMessageHolds) {
  const std::string message = "quote \" line\nbreak \\ あ {} %v \x01";
  const auto lines = Logged(LogFormat::kJson, false, [&] {
    LogInfo(message);
    LogError("broken \xFF");
  });
  ASSERT_THAT(lines, SizeIs(2));
  const absl::StatusOr<Json> first = ParseJson(lines[0]);
  ASSERT_TRUE(first.ok()) << first.status() << ": " << lines[0];
  EXPECT_EQ(*JsonString(*first, "message"), message);
  EXPECT_EQ(*JsonString(*first, "level"), "info");
  EXPECT_EQ(*JsonString(*first, "program"), "worker");
  EXPECT_GT(*JsonInt(*first, "pid"), 0);
  EXPECT_THAT(*JsonString(*first, "time"), MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+[+-][0-9]+:[0-9]+"));
  EXPECT_EQ(*JsonString(*ParseJson(lines[1]), "message"), "broken \uFFFD");
}

TEST(Logging, DebugIsWrittenOnlyWhenVerbose) {
  const auto write = [] {
    LogDebug("detail");
    LogWarning("careful");
  };
  EXPECT_THAT(Logged(LogFormat::kText, false, write), testing::ElementsAre(HasSubstr("careful")));
  EXPECT_THAT(Logged(LogFormat::kText, true, write), testing::ElementsAre(HasSubstr("detail"), HasSubstr("careful")));
}

TEST(Logging, WhatIsLoggedOnceIsNotRepeated) {
  const auto write = [] {
    for (const char* message : {"ja has 5 rows", "math has 5 rows", "ja has 5 rows"}) LogInfoOnce(message);
  };
  EXPECT_THAT(Logged(LogFormat::kText, false, write),
              testing::ElementsAre(HasSubstr("ja has 5 rows"), HasSubstr("math has 5 rows")));
}

TEST(Logging, AMessageCannotPassForTwoOrCommandATerminal) {
  EXPECT_THAT(Logged(LogFormat::kText, false, [] { LogInfo("worker a\n12:00:00 I all is well\r\x1b[2J \u3042"); }),
              testing::ElementsAre(testing::EndsWith("worker a"), "    12:00:00 I all is well??[2J \u3042"));
}

TEST(Logging, MessagesAreNoFormats) {
  EXPECT_THAT(Logged(LogFormat::kText, false, [] { LogInfo("{} {0} %d {"); }),
              testing::ElementsAre(HasSubstr("{} {0} %d {")));
}

}  // namespace
}  // namespace heterosis
