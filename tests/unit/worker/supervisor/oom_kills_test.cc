// SPDX-License-Identifier: Apache-2.0
// Tests of worker/supervisor/oom_kills on files as Linux writes them.
#include "worker/supervisor/oom_kills.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

class OomKillsTest : public ::testing::Test {
 protected:
  OomKillsTest() {
    std::filesystem::create_directories(folder_ / "proc/self");
    std::filesystem::create_directories(folder_ / "cgroup/system.slice/worker.service");
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }
  int64_t Count() { return CountOomKills(folder_ / "proc", folder_ / "cgroup"); }

  TemporaryFolder folder_;
};

TEST_F(OomKillsTest, WithoutTheFilesThereAreNone) {
  EXPECT_EQ(Count(), 0);
}

TEST_F(OomKillsTest, TheGroupsAndTheMachinesKillsCount) {
  Write("proc/self/cgroup", "0::/system.slice/worker.service\n");
  Write("proc/vmstat", "nr_free_pages 1234\noom_kill 2\nnuma_hit 5\n");
  EXPECT_EQ(Count(), 2);
  Write("cgroup/system.slice/worker.service/memory.events", "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\n");
  EXPECT_EQ(Count(), 5);
}

TEST_F(OomKillsTest, InAContainerTheGroupIsTheRoot) {
  Write("proc/self/cgroup", "0::/\n");
  Write("cgroup/memory.events", "oom_kill 1\noom_group_kill 7\n");
  EXPECT_EQ(Count(), 1);
}

}  // namespace
}  // namespace heterosis
