// SPDX-License-Identifier: Apache-2.0
// Tests of common/base/failpoint: the process dies by SIGKILL at the point that is named, at the pass that is named.
#include "common/base/failpoint.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

// The variables are read once: each case has a process of its own.
void PassWith(const char* point, int passes) {
  setenv("HETEROSIS_FAILPOINT", point, 1);
  for (int i = 0; i < passes; ++i) {
    Failpoint("before");
    Failpoint("after");
  }
  std::exit(0);
}

TEST(FailpointDeathTest, TheProcessDiesAtTheNamedPassOfTheNamedPoint) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(PassWith("after", 1), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(PassWith("after#3", 3), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(PassWith("after#4", 3), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(PassWith("another", 3), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(PassWith("", 3), testing::ExitedWithCode(0), "");
}

TEST(FailpointDeathTest, APointThatIsPassedIsTraced) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const std::string file = testing::TempDir() + "/heterosis_failpoint_trace";
  setenv("HETEROSIS_FAILPOINT_TRACE", file.c_str(), 1);
  std::remove(file.c_str());
  EXPECT_EXIT(PassWith("after#2", 2), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(ReadFile(file).value_or(""), "before\nafter\nbefore\nafter\n");
  std::remove(file.c_str());
}

}  // namespace
}  // namespace heterosis
