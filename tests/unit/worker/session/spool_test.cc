// SPDX-License-Identifier: Apache-2.0
// Tests of worker/session/spool: what comes back is what was kept, by nobody else, and it does not grow for ever.
#include "worker/session/spool.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include <filesystem>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

SpooledResult Result(int64_t trial, const std::string& run = "run", size_t text_bytes = 10) {
  return {.coordinator = "host:1",
          .run = run,
          .result = {.key = {trial, 2, 3},
                     .samples = {{.sample = 5, .correct = true, .text = std::string(text_bytes, 'x'), .new_tokens = 7}},
                     .merge_seconds = 1.5,
                     .decode_seconds = 2.5}};
}

class SpoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Spool> Open(const SpoolLimits& limits = {}) {
    auto spool = Spool::Open(Folder(), limits);
    EXPECT_TRUE(spool.ok()) << spool.status();
    return *std::move(spool);
  }
  std::string Folder() const { return folder_ / "state/spool"; }
  std::vector<int64_t> Trials() {
    std::vector<int64_t> trials;
    for (const Spool::Kept& kept : Open()->List()) trials.push_back(kept.result.result.key.trial);
    return trials;
  }
  static void SetAge(const std::string& path, int64_t seconds) {
    const utimbuf times{.actime = time(nullptr) - seconds, .modtime = time(nullptr) - seconds};
    ASSERT_EQ(utime(path.c_str(), &times), 0);
  }

  TemporaryFolder folder_;
};

TEST_F(SpoolTest, AnotherProcessFindsWhatWasKept) {
  ASSERT_TRUE(Open()->Keep(Result(1)).ok());
  const auto kept = Open()->List();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].result.coordinator, "host:1");
  EXPECT_EQ(kept[0].result.run, "run");
  EXPECT_EQ(kept[0].result.result, Result(1).result);
  Open()->Remove(kept[0].path);
  Open()->Remove(kept[0].path);  // another worker was quicker
  EXPECT_TRUE(Trials().empty());
}

TEST_F(SpoolTest, NobodyElseMayReadIt) {
  const std::string path = Open()->Keep(Result(1)).value();
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(Folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(SpoolTest, ARunsNameNeverBecomesAPath) {
  const std::string path = Open()->Keep(Result(1, "../../../etc/x")).value();
  EXPECT_EQ(std::filesystem::path(path).parent_path().string(), Folder());
  EXPECT_EQ(Open()->List().at(0).result.run, "../../../etc/x");
}

TEST_F(SpoolTest, AShardOfARunIsKeptOnce) {
  const std::string path = Open()->Keep(Result(1)).value();
  EXPECT_EQ(Open()->Keep(Result(1)).value(), path);
  EXPECT_NE(Open()->Keep(Result(1, "other run")).value(), path);
  EXPECT_EQ(Trials().size(), 2u);
}

TEST_F(SpoolTest, WhateverByteIsDamagedTheFileIsDropped) {
  const std::string path = Open()->Keep(Result(1)).value();
  const std::string content = ReadFile(path).value();
  for (size_t at = 0; at < content.size(); ++at) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(WriteFileAtomic(path, damaged).ok());
    ASSERT_TRUE(Trials().empty()) << "byte " << at;
    ASSERT_FALSE(FileExists(path));
  }
  for (size_t size = 0; size < content.size(); ++size) {
    ASSERT_TRUE(WriteFileAtomic(path, content.substr(0, size)).ok());
    ASSERT_TRUE(Trials().empty()) << "cut at " << size;
  }
  ASSERT_TRUE(WriteFileAtomic(path, content).ok());
  EXPECT_EQ(Trials(), std::vector<int64_t>{1});
}

TEST_F(SpoolTest, WhatAKilledWorkerHasHalfWrittenIsNoResult) {
  const std::string path = Open()->Keep(Result(1)).value();
  ASSERT_EQ(rename(path.c_str(), (path + ".tmp.123").c_str()), 0);
  EXPECT_TRUE(Trials().empty());
}

TEST_F(SpoolTest, TheOldestGoesFirstAndComesFirst) {
  const SpoolLimits limits{.bytes_max = 5'000};
  const auto spool = Open(limits);
  SetAge(spool->Keep(Result(1, "run", 2'000)).value(), 20);
  SetAge(spool->Keep(Result(2, "run", 2'000)).value(), 30);
  EXPECT_EQ(Trials(), (std::vector<int64_t>{2, 1}));
  ASSERT_TRUE(spool->Keep(Result(3, "run", 2'000)).ok());
  EXPECT_EQ(Trials(), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(spool->Keep(Result(4, "run", 6'000)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Trials(), (std::vector<int64_t>{1, 3})) << "nothing is given up for what has no room anyway";
}

TEST_F(SpoolTest, WhatNobodyWaitsForAnyMoreGoes) {
  SetAge(Open()->Keep(Result(1)).value(), 3600 * 24 * 15);
  ASSERT_TRUE(Open()->Keep(Result(2)).ok());
  EXPECT_EQ(Trials(), std::vector<int64_t>{2});
  EXPECT_EQ(ListFolder(Folder()).value().size(), 1u);
}

TEST_F(SpoolTest, AFolderThatCannotBeItsIsRefused) {
  std::filesystem::create_directories(Folder());
  std::filesystem::permissions(Folder(), std::filesystem::perms(0770));
  EXPECT_EQ(Spool::Open(Folder()).status().code(), absl::StatusCode::kPermissionDenied);
  std::filesystem::remove(Folder());
  ASSERT_TRUE(WriteFileAtomic(Folder(), "a file").ok());
  EXPECT_EQ(Spool::Open(Folder()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SpoolTest, TheDefaultIsTheUsersStateFolder) {
  ASSERT_EQ(setenv("HOME", "/home/h", 1), 0);
  ASSERT_EQ(unsetenv("XDG_STATE_HOME"), 0);
  EXPECT_EQ(DefaultSpoolFolder(), "/home/h/.local/state/heterosis/spool");
  ASSERT_EQ(setenv("XDG_STATE_HOME", "/s", 1), 0);
  EXPECT_EQ(DefaultSpoolFolder(), "/s/heterosis/spool");
  ASSERT_EQ(setenv("XDG_STATE_HOME", "relative", 1), 0);  // to be ignored, says the specification
  ASSERT_EQ(unsetenv("HOME"), 0);
  EXPECT_EQ(DefaultSpoolFolder(), "");
}

}  // namespace
}  // namespace heterosis
