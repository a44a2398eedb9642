// SPDX-License-Identifier: Apache-2.0
// Drives coordinator/scheduler through random schedules of unreliable workers and checks what must always hold: a shard
// counts once, a worker holds at most one, a number is never given to two attempts, and everything ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "common/base/random.h"
#include "coordinator/scheduler/scheduler.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ShardId = std::pair<int64_t, int>;

constexpr int kTrials = 12;
constexpr int kShards = 4;
constexpr int kWorkers = 5;
constexpr Clock::Duration kLease{100};

// A coordinator and workers that crash, fall silent, repeat themselves and report late. Everything is drawn from one
// stream, so that a seed is a schedule.
class RandomSchedule {
 public:
  explicit RandomSchedule(uint64_t seed) : stream_(RandomKey({seed})) { StartCoordinator(); }

  // Runs until everything is settled; false when that takes unreasonably long.
  bool Run() {
    for (int step = 0; step < 100'000; ++step) {
      if (scheduler_->open_shards() == 0) return true;
      now_ += milliseconds(stream_.NextBelow(20));
      // Late in a run the faults stop: what is left must then get done.
      Act(step < 3'000);
      CheckInvariants();
      if (::testing::Test::HasFailure()) return false;
    }
    return false;
  }

  void CheckEnd() const {
    EXPECT_EQ(scheduler_->leased_shards(), 0);
    for (int64_t trial = 1; trial <= kTrials; ++trial) {
      int done = 0;
      for (int shard = 0; shard < kShards; ++shard) done += static_cast<int>(done_.count({trial, shard}));
      EXPECT_TRUE(done == kShards || failed_.contains(trial)) << "trial " << trial << " has " << done << " shards";
    }
  }

  int restarts() const { return epoch_ - 1; }
  size_t failed_trials() const { return failed_.size(); }

 private:
  std::string Worker() { return "w" + std::to_string(stream_.NextBelow(kWorkers)); }

  // A start or a restart: the leases are gone, what is on disk is not.
  void StartCoordinator() {
    ++epoch_;
    scheduler_.emplace(SchedulerOptions{.lease = kLease, .attempts_max = 3, .epoch = epoch_});
    for (int64_t trial = 1; trial <= kTrials; ++trial) {
      OpenTrial open{.trial = trial, .failures = failures_[trial]};
      for (int shard = 0; shard < kShards; ++shard) {
        if (!done_.contains({trial, shard})) open.shards.push_back(shard);
      }
      if (!open.shards.empty() && !failed_.contains(trial)) scheduler_->AddTrial(open);
    }
  }

  void Act(bool faults) {
    const std::string worker = Worker();
    const uint64_t what = stream_.NextBelow(100);
    if (what < 35 || !faults) Ask(worker);
    if (what >= 35 && what < 55) Beat(worker);
    if (what >= 55 && what < 75) Report(worker);
    if (!faults) Report(worker);
    if (what >= 75 && what < 80 && !known_.empty())
      Judge(known_[stream_.NextBelow(known_.size())]);  // late or repeated
    if (!faults) return;
    if (what >= 80 && what < 87) Fail(worker);
    if (what >= 87 && what < 96) working_.erase(worker);  // it dies without a word
    if (what >= 96 && what < 98) Expire();
    if (what == 98) now_ += kLease;  // everybody was silent
    if (what == 99 && stream_.NextBelow(20) == 0) StartCoordinator();
  }

  void Ask(const std::string& worker) {
    Expire();
    const auto key = scheduler_->Lease(worker, now_);
    if (!key.has_value()) return;
    EXPECT_FALSE(done_.contains({key->trial, key->shard})) << "a settled shard is handed out";
    EXPECT_FALSE(failed_.contains(key->trial)) << "a shard of a failed trial is handed out";
    if (!handed_out_.insert({key->trial, key->shard, key->attempt}).second) {
      EXPECT_TRUE(leased_to_[Id(*key)] == worker) << "one attempt for two workers";
    } else {
      known_.push_back(*key);
    }
    leased_to_[Id(*key)] = worker;
    working_[worker] = *key;
  }

  void Beat(const std::string& worker) {
    const auto held = working_.find(worker);
    if (held == working_.end()) return;
    if (!scheduler_->Heartbeat(worker, {held->second}, now_).empty()) {
      working_.erase(held);
    } else {
      leased_to_[Id(held->second)] = worker;
    }
  }

  void Report(const std::string& worker) {
    const auto held = working_.find(worker);
    if (held == working_.end()) return;
    const ShardKey key = held->second;
    working_.erase(held);
    Judge(key);
  }

  // Hands in a result, as the experiment takes it.
  void Judge(const ShardKey& key) {
    const Verdict verdict = scheduler_->Judge(key);
    const bool settled = done_.contains({key.trial, key.shard}) || failed_.contains(key.trial);
    EXPECT_EQ(verdict, settled ? Verdict::kDuplicate : Verdict::kAccepted);
    if (verdict != Verdict::kAccepted) return;
    scheduler_->Complete(key, now_);
    EXPECT_TRUE(done_.insert({key.trial, key.shard}).second) << "a shard was counted twice";
  }

  void Fail(const std::string& worker) {
    const auto held = working_.find(worker);
    if (held == working_.end()) return;
    const ShardKey key = held->second;
    working_.erase(held);
    const FailureClass failure = stream_.NextBelow(2) == 0 ? FailureClass::kCrash : FailureClass::kInfra;
    const FailureVerdict said = scheduler_->JudgeFailure(key, failure);
    const FailureVerdict verdict = scheduler_->Fail(key, failure);
    EXPECT_EQ(verdict, said);
    if (verdict != FailureVerdict::kIgnored && failure == FailureClass::kCrash) ++failures_[key.trial];
    if (verdict == FailureVerdict::kTrialFailed) failed_.insert(key.trial);
  }

  void Expire() {
    for (const Scheduler::Lost& lost : scheduler_->Overdue(now_)) {
      if (scheduler_->Fail(lost.key, FailureClass::kInfra) == FailureVerdict::kTrialFailed)
        failed_.insert(lost.key.trial);
    }
    scheduler_->ForgetSilentWorkers(now_);
  }

  void CheckInvariants() const {
    std::set<ShardId> leased;
    int holders = 0;
    for (int i = 0; i < kWorkers; ++i) {
      const auto key = scheduler_->HeldBy("w" + std::to_string(i));
      if (!key.has_value()) continue;
      ++holders;
      EXPECT_TRUE(leased.insert({key->trial, key->shard}).second) << "a shard has two holders";
      EXPECT_EQ(scheduler_->HolderOf(*key), "w" + std::to_string(i));
      EXPECT_FALSE(done_.contains({key->trial, key->shard})) << "a settled shard is leased";
    }
    EXPECT_EQ(holders, scheduler_->leased_shards());
    int open = 0;
    for (int64_t trial = 1; trial <= kTrials; ++trial) {
      for (int shard = 0; shard < kShards; ++shard) {
        open += !failed_.contains(trial) && !done_.contains({trial, shard}) ? 1 : 0;
      }
    }
    EXPECT_EQ(open, scheduler_->open_shards());
  }

  static std::tuple<int64_t, int, int> Id(const ShardKey& key) { return {key.trial, key.shard, key.attempt}; }

  RandomStream stream_;
  std::optional<Scheduler> scheduler_;
  int epoch_ = 0;
  Clock::Duration now_{0};
  std::map<std::string, ShardKey> working_;  // what each worker believes that it holds
  std::vector<ShardKey> known_;              // all attempts ever handed out
  std::set<std::tuple<int64_t, int, int>> handed_out_;
  std::map<std::tuple<int64_t, int, int>, std::string> leased_to_;
  // What is on disk.
  std::set<ShardId> done_;
  std::set<int64_t> failed_;
  std::map<int64_t, int> failures_;
};

TEST(RandomScheduleTest, WhateverWorkersDoEachShardCountsOnceAndEverythingEnds) {
  int restarts = 0;
  size_t failed = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomSchedule schedule(seed);
    ASSERT_TRUE(schedule.Run()) << "does not come to its end";
    schedule.CheckEnd();
    restarts += schedule.restarts();
    failed += schedule.failed_trials();
  }
  // The schedules were rough enough to mean something.
  EXPECT_GT(restarts, 20);
  EXPECT_GT(failed, 20u);
}

}  // namespace
}  // namespace heterosis
