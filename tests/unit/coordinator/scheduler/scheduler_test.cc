// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/scheduler: who gets which shard, when it is taken back, and which reports count.
#include "coordinator/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/scheduler/fixture.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(SchedulerTest, NothingIsHandedOutWhenNothingIsOpen) {
  EXPECT_EQ(Lease("a"), std::nullopt);
  EXPECT_EQ(scheduler_->workers(), 1);
}

TEST_F(SchedulerTest, ShardsGoOutInTheOrderOfTrialAndShard) {
  AddTrial(2, {0});
  AddTrial(1, {1, 0});
  EXPECT_EQ(Lease("a"), (ShardKey{1, 0, kFirst}));
  EXPECT_EQ(Lease("b"), (ShardKey{1, 1, kFirst}));
  EXPECT_EQ(Lease("c"), (ShardKey{2, 0, kFirst}));
  EXPECT_EQ(Lease("d"), std::nullopt);
  EXPECT_EQ(scheduler_->open_shards(), 3);
  EXPECT_EQ(scheduler_->leased_shards(), 3);
}

TEST_F(SchedulerTest, AWorkerThatAsksAgainGetsTheSameAttempt) {
  AddTrial(1, {0, 1});
  const ShardKey key = MustLease("a");
  Advance(60);
  EXPECT_EQ(Lease("a"), key);
  EXPECT_EQ(scheduler_->leased_shards(), 1);
  Advance(60);  // asking has prolonged the lease
  EXPECT_THAT(scheduler_->Overdue(now_), IsEmpty());
}

TEST_F(SchedulerTest, ALeaseEndsAfterItsTimeAndNotBefore) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  Advance(100);
  EXPECT_THAT(scheduler_->Overdue(now_), IsEmpty());
  Advance(1);
  EXPECT_THAT(scheduler_->Overdue(now_), ElementsAre(Scheduler::Lost{key, "a"}));
  EXPECT_EQ(scheduler_->leased_shards(), 1);  // asking changes nothing
  ExpireOverdue();
  EXPECT_EQ(scheduler_->leased_shards(), 0);
  EXPECT_EQ(scheduler_->open_shards(), 1);
}

TEST_F(SchedulerTest, HeartbeatsKeepALease) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  for (int i = 0; i < 10; ++i) {
    Advance(90);
    EXPECT_THAT(Heartbeat("a", {key}), IsEmpty());
    EXPECT_THAT(scheduler_->Overdue(now_), IsEmpty());
  }
  Advance(101);
  EXPECT_EQ(scheduler_->Overdue(now_).size(), 1u);
}

TEST_F(SchedulerTest, AShardOfALostWorkerGoesToTheNextOneUnderANewAttempt) {
  AddTrial(1, {0});
  const ShardKey first = MustLease("a");
  Advance(101);
  ExpireOverdue();
  const ShardKey second = MustLease("b");
  EXPECT_EQ(second.shard, first.shard);
  EXPECT_EQ(second.attempt, first.attempt + 1);
  EXPECT_THAT(Heartbeat("a", {first}), ElementsAre(first));  // the first worker is told to drop it
  EXPECT_THAT(Heartbeat("b", {second}), IsEmpty());
}

TEST_F(SchedulerTest, AHeartbeatRevivesAnExpiredLeaseThatNobodyElseHas) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  Advance(101);
  ExpireOverdue();
  EXPECT_THAT(Heartbeat("a", {key}), IsEmpty());
  EXPECT_EQ(scheduler_->HolderOf(key), "a");
  EXPECT_EQ(Lease("b"), std::nullopt);
  Advance(100);
  EXPECT_THAT(scheduler_->Overdue(now_), IsEmpty());
}

TEST_F(SchedulerTest, AHeartbeatRevivesNoAttemptThatWasNeverHandedOut) {
  AddTrial(1, {0});
  for (const int attempt : {-1, 0, kFirst - 1, kFirst, kFirst + 500}) {
    const ShardKey key{1, 0, attempt};
    EXPECT_THAT(Heartbeat("a", {key}), ElementsAre(key)) << attempt;
  }
  EXPECT_EQ(scheduler_->leased_shards(), 0);
}

TEST_F(SchedulerTest, AHeartbeatRevivesOneShardOfAWorkerOnly) {
  AddTrial(1, {0, 1});
  const ShardKey first = MustLease("a");
  Advance(101);
  ExpireOverdue();
  const ShardKey second = MustLease("b");
  Advance(101);
  ExpireOverdue();
  EXPECT_THAT(Heartbeat("a", {first, second}), ElementsAre(second));
}

TEST_F(SchedulerTest, AWorkerThatSaysGoodbyeLosesItsShardAtOnce) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  EXPECT_EQ(scheduler_->HeldBy("a"), key);
  EXPECT_EQ(scheduler_->HeldBy("b"), std::nullopt);
  scheduler_->Fail(key, FailureClass::kInfra);
  scheduler_->ForgetWorker("a");
  EXPECT_EQ(scheduler_->workers(), 0);
  EXPECT_EQ(MustLease("b").attempt, kFirst + 1);
}

TEST_F(SchedulerTest, SilentWorkersThatHoldNothingAreForgotten) {
  AddTrial(1, {0});
  MustLease("a");
  Lease("b");
  EXPECT_EQ(scheduler_->workers(), 2);
  Advance(100);
  scheduler_->ForgetSilentWorkers(now_);
  EXPECT_EQ(scheduler_->workers(), 2);
  Advance(1);
  scheduler_->ForgetSilentWorkers(now_);
  EXPECT_EQ(scheduler_->workers(), 1);  // "a" still holds a lease until that is taken back
}

TEST_F(SchedulerTest, AResultIsAcceptedOnceAndItsRepetitionIsADuplicate) {
  AddTrial(1, {0, 1});
  const ShardKey key = MustLease("a");
  EXPECT_EQ(scheduler_->Judge(key), Verdict::kAccepted);
  EXPECT_EQ(scheduler_->Judge(key), Verdict::kAccepted);  // asking changes nothing
  scheduler_->Complete(key, now_);
  EXPECT_EQ(scheduler_->Judge(key), Verdict::kDuplicate);
  EXPECT_EQ(scheduler_->open_shards(), 1);
  EXPECT_EQ(scheduler_->leased_shards(), 0);
  EXPECT_EQ(MustLease("a"), (ShardKey{1, 1, kFirst}));  // it is free for the next one
}

TEST_F(SchedulerTest, ARepeatedResultOfASettledTrialIsADuplicate) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  EXPECT_TRUE(scheduler_->CompletesTrial(key));
  scheduler_->Complete(key, now_);
  EXPECT_EQ(scheduler_->Judge(key), Verdict::kDuplicate);
  EXPECT_EQ(scheduler_->open_shards(), 0);
  EXPECT_EQ(Lease("a"), std::nullopt);
}

TEST_F(SchedulerTest, OnlyTheLastOpenShardCompletesItsTrial) {
  AddTrial(1, {0, 1});
  EXPECT_FALSE(scheduler_->CompletesTrial({1, 0, kFirst}));
  scheduler_->Complete(MustLease("a"), now_);
  EXPECT_FALSE(scheduler_->CompletesTrial({1, 0, kFirst}));
  EXPECT_TRUE(scheduler_->CompletesTrial({1, 1, kFirst}));
  EXPECT_FALSE(scheduler_->CompletesTrial({9, 0, kFirst}));
}

TEST_F(SchedulerTest, ALateResultOfAnExpiredLeaseCountsWhileTheShardIsOpen) {
  AddTrial(1, {0});
  const ShardKey late = MustLease("a");
  Advance(101);
  ExpireOverdue();
  const ShardKey current = MustLease("b");
  EXPECT_EQ(scheduler_->Judge(late), Verdict::kAccepted);
  scheduler_->Complete(late, now_);
  EXPECT_EQ(scheduler_->Judge(current), Verdict::kDuplicate);
  EXPECT_EQ(scheduler_->leased_shards(), 0);
  EXPECT_THAT(Heartbeat("b", {current}), ElementsAre(current));  // told to drop it
}

TEST_F(SchedulerTest, AResultOfAnAttemptThatWasNeverHandedOutIsStale) {
  AddTrial(1, {0, 1});
  MustLease("a");
  EXPECT_EQ(scheduler_->Judge({1, 0, kFirst + 1}), Verdict::kStale);
  EXPECT_EQ(scheduler_->Judge({1, 1, kFirst}), Verdict::kStale);  // open, but nobody has it
  EXPECT_EQ(scheduler_->Judge({1, 0, kFirst - 1}), Verdict::kStale);
  EXPECT_EQ(scheduler_->Judge({1, 0, -5}), Verdict::kStale);
  EXPECT_EQ(scheduler_->Judge({1, 7, kFirst + kFirst}), Verdict::kStale);  // of an epoch to come
}

TEST_F(SchedulerTest, AfterARestartResultsAndHeartbeatsOfEarlierEpochsCount) {
  Start({.lease = milliseconds(100), .attempts_max = 3, .epoch = 3});
  AddTrial(1, {0, 1, 2});
  const ShardKey before{1, 0, 2 * kFirst + 4};
  EXPECT_EQ(scheduler_->Judge(before), Verdict::kAccepted);
  EXPECT_THAT(Heartbeat("a", {before}), IsEmpty());
  EXPECT_EQ(scheduler_->HolderOf(before), "a");
  EXPECT_EQ(Lease("a"), before);
  EXPECT_EQ(MustLease("b"), (ShardKey{1, 1, 3 * kFirst}));  // new attempts have numbers of their own
  scheduler_->Complete(before, now_);
  EXPECT_EQ(scheduler_->Judge(before), Verdict::kDuplicate);
  EXPECT_EQ(scheduler_->Judge({1, 2, 3 * kFirst}), Verdict::kStale);  // this epoch knows what it handed out
}

TEST_F(SchedulerTest, AFailureCountsOnlyForTheAttemptThatHoldsTheLease) {
  AddTrial(1, {0});
  const ShardKey late = MustLease("a");
  EXPECT_EQ(scheduler_->JudgeFailure({1, 0, kFirst + 1}, FailureClass::kCrash), FailureVerdict::kIgnored);
  Advance(101);
  ExpireOverdue();
  EXPECT_EQ(scheduler_->Fail(late, FailureClass::kCrash), FailureVerdict::kIgnored);
  const ShardKey current = MustLease("b");
  EXPECT_EQ(scheduler_->Fail(late, FailureClass::kCrash), FailureVerdict::kIgnored);
  EXPECT_EQ(scheduler_->HolderOf(current), "b");
  EXPECT_EQ(scheduler_->HolderOf(late), "");
}

TEST_F(SchedulerTest, ALoneWorkerFailsATrialAtItsLastAttempt) {
  AddTrial(1, {0, 1});
  for (int i = 0; i < 2; ++i) {
    const ShardKey key = MustLease("a");
    ASSERT_EQ(key.trial, 1);
    EXPECT_EQ(scheduler_->JudgeFailure(key, FailureClass::kCrash), FailureVerdict::kRequeued);
    EXPECT_EQ(scheduler_->Fail(key, FailureClass::kCrash), FailureVerdict::kRequeued);
  }
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kCrash), FailureVerdict::kTrialFailed);
}

TEST_F(SchedulerTest, AFailedTrialIsGoneWithAllItsShards) {
  AddTrial(1, {0, 1});
  AddTrial(2, {0});
  const ShardKey other = MustLease("b");
  ASSERT_EQ(other.trial, 1);
  scheduler_->Fail(MustLease("w0"), FailureClass::kCrash);
  const ShardKey last = MustLease("w1");
  EXPECT_EQ(scheduler_->JudgeFailure(last, FailureClass::kCrash), FailureVerdict::kTrialFailed);
  EXPECT_EQ(scheduler_->Fail(last, FailureClass::kCrash), FailureVerdict::kTrialFailed);
  EXPECT_EQ(scheduler_->open_shards(), 1);
  EXPECT_EQ(scheduler_->leased_shards(), 0);
  EXPECT_THAT(Heartbeat("b", {other}), ElementsAre(other));
  EXPECT_EQ(scheduler_->Judge(other), Verdict::kDuplicate);
  EXPECT_EQ(MustLease("b").trial, 2);
}

TEST_F(SchedulerTest, FailuresOfEarlierEpochsCount) {
  scheduler_->AddTrial({.trial = 1, .shards = {0}, .failures = 2});
  EXPECT_EQ(scheduler_->JudgeFailure(MustLease("a"), FailureClass::kCrash), FailureVerdict::kTrialFailed);
  const WorkersByClass before = {{FailureClass::kNumeric, {"before"}}};
  scheduler_->AddTrial({.trial = 2, .shards = {0}, .failures = 1, .workers = before});
  const ShardKey key = MustLease("b");
  EXPECT_EQ(scheduler_->JudgeFailure(key, FailureClass::kNumeric), FailureVerdict::kTrialFailed);
  EXPECT_EQ(scheduler_->JudgeFailure(key, FailureClass::kMemory), FailureVerdict::kRequeued);
}

TEST_F(SchedulerTest, LostLeasesAreNotCountedAsFailures) {
  AddTrial(1, {0});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kInfra), FailureVerdict::kRequeued);
  }
  EXPECT_EQ(scheduler_->JudgeFailure(MustLease("a"), FailureClass::kCrash), FailureVerdict::kRequeued);
}

TEST_F(SchedulerTest, ATrialThatKeepsTakingItsWorkersDownFailsInTheEnd) {
  AddTrial(1, {0});
  int lost = 1;
  while (scheduler_->Fail(MustLease("a"), FailureClass::kInfra) == FailureVerdict::kRequeued) ++lost;
  EXPECT_EQ(lost, Scheduler::kInfraMax);
  EXPECT_EQ(scheduler_->open_shards(), 0);
}

TEST_F(SchedulerTest, NaNOnTwoWorkersIsTheGenomesFault) {
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kNumeric), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("b"), FailureClass::kNumeric), FailureVerdict::kTrialFailed);
}

TEST_F(SchedulerTest, NaNOnTheOnlyWorkerFailsTheTrialAtTheLastAttempt) {
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kNumeric), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kNumeric), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kNumeric), FailureVerdict::kTrialFailed);
}

TEST_F(SchedulerTest, AModelThatFitsOnNeitherOfTwoWorkersIsSettled) {
  AddTrial(1, {0});
  Lease("b");
  scheduler_->Fail(*scheduler_->HeldBy("b"), FailureClass::kInfra);  // "b" is there
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kMemory), FailureVerdict::kRequeued);
  EXPECT_EQ(Lease("a"), std::nullopt);  // another one is to confirm it
  EXPECT_EQ(scheduler_->Fail(MustLease("b"), FailureClass::kMemory), FailureVerdict::kTrialFailed);
  EXPECT_EQ(scheduler_->open_shards(), 0);
}

TEST_F(SchedulerTest, AModelThatFitsOnAnotherWorkerIsScoredThere) {
  AddTrial(1, {0, 1});
  EXPECT_EQ(scheduler_->Fail(MustLease("small"), FailureClass::kMemory), FailureVerdict::kRequeued);
  for (int shard = 0; shard < 2; ++shard) scheduler_->Complete(MustLease("large"), now_);
  EXPECT_EQ(scheduler_->open_shards(), 0);
}

TEST_F(SchedulerTest, WantOfMemoryOnTheOnlyWorkerIsSettledAtTheLastAttempt) {
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kMemory), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kMemory), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kMemory), FailureVerdict::kTrialFailed);
}

TEST_F(SchedulerTest, TwoWorkersThatFailInDifferentWaysConfirmNothing) {
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kMemory), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("b"), FailureClass::kNumeric), FailureVerdict::kRequeued);
}

TEST_F(SchedulerTest, ATrialThatCrashesTwoWorkersHasFailed) {
  AddTrial(1, {0, 1});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kCrash), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("b"), FailureClass::kCrash), FailureVerdict::kTrialFailed);
}

TEST_F(SchedulerTest, AWorkerThatCameBackUnderANewSessionIsNoSecondWorker) {
  for (const char* session : {"1", "2", "3"}) scheduler_->Introduce(session, {"box", "cpu"});
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("1"), FailureClass::kCrash), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("2"), FailureClass::kCrash), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("3"), FailureClass::kCrash), FailureVerdict::kTrialFailed);  // its last attempt
}

TEST_F(SchedulerTest, ACrashBesideNaNIsNotConfirmedByIt) {
  AddTrial(1, {0});
  EXPECT_EQ(scheduler_->Fail(MustLease("a"), FailureClass::kNumeric), FailureVerdict::kRequeued);
  EXPECT_EQ(scheduler_->Fail(MustLease("b"), FailureClass::kCrash), FailureVerdict::kRequeued);
}

TEST_F(SchedulerTest, AFailedTrialIsTriedByAnotherWorkerWhereThereIsOne) {
  AddTrial(1, {0});
  AddTrial(2, {0});
  Lease("b");  // trial 1
  scheduler_->Complete(*scheduler_->HeldBy("b"), now_);
  AddTrial(3, {0});
  const ShardKey key = MustLease("a");
  ASSERT_EQ(key.trial, 2);
  scheduler_->Fail(key, FailureClass::kCrash);
  EXPECT_EQ(MustLease("a").trial, 3);  // not 2: "b" is there
  EXPECT_EQ(MustLease("b").trial, 2);
}

TEST_F(SchedulerTest, AWorkerMayTryAgainWhereNoOtherIsThere) {
  AddTrial(1, {0});
  Lease("b");
  scheduler_->Fail(*scheduler_->HeldBy("b"), FailureClass::kInfra);
  const ShardKey key = MustLease("a");
  scheduler_->Fail(key, FailureClass::kCrash);
  EXPECT_EQ(Lease("a"), std::nullopt);
  Advance(101);
  scheduler_->ForgetSilentWorkers(now_);  // "b" is gone
  EXPECT_EQ(MustLease("a").trial, 1);
}

TEST_F(SchedulerTest, AWorkerThatCannotDoTheWorkGetsNoMore) {
  AddTrial(1, {0});
  const ShardKey key = MustLease("a");
  EXPECT_EQ(scheduler_->Fail(key, FailureClass::kInvalid), FailureVerdict::kRequeued);
  EXPECT_TRUE(scheduler_->IsBarred("a"));
  EXPECT_EQ(Lease("a"), std::nullopt);
  EXPECT_THAT(Heartbeat("a", {key}), ElementsAre(key));  // nor does it get it back this way
  EXPECT_FALSE(scheduler_->IsBarred("b"));
  EXPECT_EQ(MustLease("b").trial, 1);
}

TEST_F(SchedulerTest, ABarredWorkerDoesNotKeepOthersWaiting) {
  AddTrial(1, {0});
  scheduler_->Fail(MustLease("a"), FailureClass::kInvalid);
  scheduler_->Fail(MustLease("b"), FailureClass::kCrash);
  EXPECT_EQ(MustLease("b").trial, 1);  // "a" is there, but will never try it
}

TEST_F(SchedulerTest, CompletingALateAttemptFreesTheWorkerThatHoldsTheLease) {
  AddTrial(1, {0, 1});
  const ShardKey late = MustLease("a");
  Advance(101);
  ExpireOverdue();
  MustLease("b");
  scheduler_->Complete(late, now_);
  EXPECT_EQ(scheduler_->HeldBy("b"), std::nullopt);
  EXPECT_EQ(MustLease("b").shard, 1);
}

}  // namespace
}  // namespace heterosis
