// SPDX-License-Identifier: Apache-2.0
// Tests of worker/session with a spool: a finished shard outlives its worker while no coordinator takes it.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/support/shared.h"
#include "tests/unit/worker/session/fixture.h"
#include "worker/session/spool.h"

namespace heterosis {
namespace {

// A session with a spool; its folder outlives the worker.
class SpooledSessionTest : public SessionTest {
 protected:
  SpooledSessionTest() {
    options_.coordinator = "host:1";
    options_.spool = folder_ / "spool";
  }
  std::vector<Spool::Kept> Kept() { return Spool::Open(options_.spool).value()->List(); }
  // A worker that finishes trial 1 while nobody takes it, and ends.
  void LeaveOneBehind() {
    GiveUpSoon();
    coordinator_.leases = {LeaseAnswer(Work(1))};
    for (int i = 0; i < 1'000; ++i) coordinator_.report_errors.push_back(absl::UnavailableError("down"));
    ASSERT_EQ(Run().code(), absl::StatusCode::kUnavailable);
    ASSERT_EQ(Kept().size(), 1u);
    coordinator_.report_errors.clear();
    coordinator_.leases.clear();
    coordinator_.reported_runs.clear();
  }

  TemporaryFolder folder_;
};

TEST_F(SpooledSessionTest, WhatIsTakenAtOnceLeavesNothingOnDisk) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.on_report = [&] { EXPECT_TRUE(Kept().empty()); };
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, WhatIsNotTakenIsOnDiskUntilItIs) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.report_errors = {absl::UnavailableError("down"), absl::NotFoundError("restarted")};
  int report = 0;
  coordinator_.on_report = [&] { EXPECT_EQ(Kept().size(), report++ == 0 ? 0u : 1u); };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results, (std::vector<ShardKey>{{1, 0, 1}}));
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, TheNextWorkerDeliversItBeforeItAsksForWork) {
  LeaveOneBehind();
  coordinator_.on_lease = [&] { EXPECT_EQ(coordinator_.results.size(), 1u); };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results, (std::vector<ShardKey>{{1, 0, 1}}));
  EXPECT_EQ(coordinator_.reported_runs, std::vector<std::string>{"run-a"});
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, AStoppedWorkerLeavesItsResultBehind) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.report_errors = {absl::UnavailableError("down"), absl::UnavailableError("down")};
  coordinator_.on_report = [&] { stop_ = true; };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Kept().size(), 1u);
}

TEST_F(SpooledSessionTest, AWorkerWhoseHeartbeatsFailKeepsTheResultBeforeItTriesToDeliverIt) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  for (int i = 0; i < 100'000; ++i) coordinator_.heartbeat_errors.push_back(absl::UnavailableError("down"));
  runner_.run = [&](const ShardWork& work, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    while (coordinator_.heartbeats < 2) std::this_thread::yield();
    return ShardResult{.key = work.key, .samples = {}};
  };
  coordinator_.on_report = [&] { EXPECT_EQ(Kept().size(), 1u); };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results.size(), 1u);
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, ResultsOfAnotherRunOfThisCoordinatorAreDropped) {
  LeaveOneBehind();
  coordinator_.run = "run-b";
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(coordinator_.reported_runs.empty());
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, ResultsForAnotherCoordinatorAreLeftForIt) {
  LeaveOneBehind();
  coordinator_.run = "run-b";
  options_.coordinator = "other:1";
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(coordinator_.reported_runs.empty());
  EXPECT_EQ(Kept().size(), 1u);
}

TEST_F(SpooledSessionTest, TheSameRunAtAnotherAddressGetsThem) {
  LeaveOneBehind();
  options_.coordinator = "other:1";  // local workers' coordinator takes another port at each start
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results.size(), 1u);
  EXPECT_TRUE(Kept().empty());
}

TEST_F(SpooledSessionTest, ARefusedOneIsNotOfferedAgain) {
  LeaveOneBehind();
  coordinator_.report_errors = {absl::InvalidArgumentError("not its samples")};
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(Kept().empty());
  EXPECT_TRUE(coordinator_.failures.empty()) << "nobody leased it: it is computed again";
}

TEST_F(SpooledSessionTest, OneThatIsStillNotTakenStays) {
  LeaveOneBehind();
  coordinator_.report_errors = {absl::UnavailableError("disk full")};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Kept().size(), 1u);
}

TEST_F(SpooledSessionTest, AFolderThatOthersMayWriteToIsRefused) {
  std::filesystem::create_directory(options_.spool);
  std::filesystem::permissions(options_.spool, std::filesystem::perms(0777));
  EXPECT_EQ(Run().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace heterosis
