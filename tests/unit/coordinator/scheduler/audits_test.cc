// SPDX-License-Identifier: Apache-2.0
// Tests of the second chances of coordinator/scheduler: copies of stragglers' shards, and audits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/scheduler/fixture.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Stragglers. A stage of shards that take a second each, and one that does not end.
class StragglerTest : public SchedulerTest {
 protected:
  void SetUp() override {
    Start({.lease = milliseconds(60'000), .attempts_max = 3, .epoch = 1});
    AddTrial(1, {0, 1, 2, 3});
    slow_ = MustLease("slow");
    for (int shard = 1; shard < 4; ++shard) {
      const ShardKey key = MustLease("quick");
      Advance(1'000);
      scheduler_->Complete(key, now_);
    }
  }

  ShardKey slow_;
};

TEST_F(StragglerTest, AnIdleWorkerGetsACopyUnderANumberOfItsOwn) {
  const ShardKey copy = MustLease("quick");
  EXPECT_EQ(copy, (ShardKey{1, 0, slow_.attempt + 1}));
  EXPECT_EQ(Lease("third"), std::nullopt) << "there is one copy at most";
  EXPECT_THAT(Heartbeat("slow", {slow_}), IsEmpty()) << "it may still be the first";
  EXPECT_EQ(scheduler_->leased_shards(), 2);
  EXPECT_EQ(Lease("quick"), copy);
  EXPECT_EQ(Lease("slow"), slow_);
}

TEST_F(StragglerTest, TheFirstAnswerCountsWhoeverGivesIt) {
  const ShardKey copy = MustLease("quick");
  EXPECT_EQ(scheduler_->Judge(slow_), Verdict::kAccepted);
  EXPECT_EQ(scheduler_->Judge(copy), Verdict::kAccepted);
  scheduler_->Complete(slow_, now_);
  EXPECT_EQ(scheduler_->Judge(copy), Verdict::kDuplicate);
  EXPECT_TRUE(scheduler_->WasOutrun(copy, "quick"));
  EXPECT_FALSE(scheduler_->WasOutrun(slow_, "slow"));
  EXPECT_THAT(Heartbeat("quick", {copy}), ElementsAre(copy));  // it is worthless now
  EXPECT_EQ(scheduler_->leased_shards(), 0);
}

TEST_F(StragglerTest, AWorkerGetsNoCopyOfItsOwnShard) {
  scheduler_->Introduce("slow", {"box", "cpu"});
  scheduler_->Introduce("slow again", {"box", "cpu"});
  EXPECT_EQ(Lease("slow"), slow_);
  EXPECT_EQ(Lease("slow again"), std::nullopt);
}

TEST_F(StragglerTest, OneOfTheTwoMayFailWithoutTheOther) {
  const ShardKey copy = MustLease("quick");
  scheduler_->Fail(slow_, FailureClass::kInfra);
  EXPECT_EQ(scheduler_->HolderOf(copy), "quick");
  EXPECT_EQ(Lease("slow"), std::nullopt) << "the copy is young";
  EXPECT_EQ(scheduler_->Judge(copy), Verdict::kAccepted);
}

class DoublingTest : public SchedulerTest {};

TEST_F(DoublingTest, OrdinaryWorkIsNotDoubled) {
  Start({.lease = milliseconds(60'000), .attempts_max = 3, .epoch = 1});
  AddTrial(1, {0, 1});
  const ShardKey first = MustLease("a");
  MustLease("b");
  Advance(10'000);
  EXPECT_EQ(Lease("c"), std::nullopt) << "no shard is finished: nobody knows what is long";
  scheduler_->Complete(first, now_);
  Advance(4'900);
  EXPECT_EQ(Lease("c"), std::nullopt) << "less than 1.5 times the median";
  Advance(200);
  EXPECT_EQ(MustLease("c").shard, 1);
}

TEST_F(DoublingTest, WhatEndsWithinASecondIsNotDoubled) {
  AddTrial(1, {0, 1});
  const ShardKey first = MustLease("a");
  MustLease("b");
  Advance(10);
  scheduler_->Complete(first, now_);
  Advance(900);
  EXPECT_EQ(Lease("c"), std::nullopt);
  Advance(100);
  EXPECT_EQ(MustLease("c").shard, 1);
}

TEST_F(DoublingTest, TheMedianIsThatOfTheStage) {
  Start({.lease = milliseconds(60'000), .attempts_max = 3, .epoch = 1});
  AddTrial(1, {0});
  const ShardKey quick = MustLease("a");
  Advance(10);
  scheduler_->Complete(quick, now_);
  AddTrial(2, {0});  // the next stage has longer ones
  MustLease("a");
  Advance(5'000);
  EXPECT_EQ(Lease("b"), std::nullopt);
}

// Audits: a shard that has a result is computed again, by another worker.
class AuditTest : public SchedulerTest {
 protected:
  void SetUp() override {
    SchedulerTest::SetUp();
    for (const char* name : {"a", "b", "c"}) scheduler_->Introduce(name, {name, "cpu"});
    scheduler_->Introduce("g", {"g", "cuda"});
  }
  // "a" gives the first answer to the only shard.
  void AnswerForAudit() { scheduler_->CompleteForAudit(MustLease("a"), now_, {"a", "cpu"}); }
};

TEST_F(AuditTest, AnAuditGoesToAnotherWorkerOnceNothingElseWaits) {
  AddTrial(1, {0, 1});
  AnswerForAudit();
  EXPECT_EQ(scheduler_->audits(), 1);
  EXPECT_EQ(scheduler_->open_shards(), 1);
  EXPECT_EQ(MustLease("b").shard, 1) << "work first";
  EXPECT_EQ(Lease("a"), std::nullopt) << "not by the one that has answered";
  const ShardKey audit = MustLease("c");
  EXPECT_EQ(audit, (ShardKey{1, 0, kFirst + 1}));
  EXPECT_EQ(scheduler_->Judge(audit), Verdict::kAudit);
  EXPECT_TRUE(scheduler_->WantsAnswerOf(audit, "c"));
  EXPECT_FALSE(scheduler_->WantsAnswerOf(audit, "a")) << "the repeated report of the first answer";
  scheduler_->EndAudit(1, 0);
  EXPECT_EQ(scheduler_->Judge(audit), Verdict::kDuplicate);
  EXPECT_EQ(scheduler_->audits(), 0);
  EXPECT_TRUE(scheduler_->IsOpen(1));
  EXPECT_EQ(scheduler_->leased_shards(), 1);
}

TEST_F(AuditTest, TheSameDeviceClassAuditsWhereItIsThere) {
  AddTrial(1, {0});
  AnswerForAudit();
  Lease("b");
  scheduler_->Fail(*scheduler_->HeldBy("b"), FailureClass::kInfra);
  EXPECT_EQ(Lease("g"), std::nullopt) << "b is there";
  scheduler_->ForgetWorker("b");
  EXPECT_EQ(MustLease("g").shard, 0);
}

TEST_F(AuditTest, ADisputeGoesToAThird) {
  AddTrial(1, {0});
  AnswerForAudit();
  const ShardKey second = MustLease("b");
  EXPECT_THAT(scheduler_->HopelessAudits(), IsEmpty());
  scheduler_->AuditAnswered(second, "b");
  EXPECT_EQ(Lease("b"), std::nullopt);
  EXPECT_THAT(scheduler_->HopelessAudits(), ElementsAre(std::make_pair(int64_t{1}, 0))) << "no third is there";
  EXPECT_EQ(MustLease("c").shard, 0);
  EXPECT_THAT(scheduler_->HopelessAudits(), IsEmpty());
}

TEST_F(AuditTest, AnAuditDoesNotFailItsTrial) {
  AddTrial(1, {0});
  AnswerForAudit();
  for (int i = 0; i < Scheduler::kAuditFailuresMax; ++i) {
    const ShardKey key = MustLease("b");
    EXPECT_THAT(scheduler_->HopelessAudits(), IsEmpty());
    EXPECT_EQ(scheduler_->Fail(key, FailureClass::kCrash), FailureVerdict::kRequeued);
  }
  EXPECT_THAT(scheduler_->HopelessAudits(), ElementsAre(std::make_pair(int64_t{1}, 0)));
}

TEST_F(AuditTest, TheCopyOfAStragglerServesAsTheAudit) {
  Start({.lease = milliseconds(60'000), .attempts_max = 3, .epoch = 1});
  AddTrial(1, {0, 1});
  const ShardKey slow = MustLease("a");
  const ShardKey quick = MustLease("b");
  Advance(1'000);
  scheduler_->Complete(quick, now_);
  Advance(1'000);
  const ShardKey copy = MustLease("b");
  scheduler_->CompleteForAudit(copy, now_, {"b", ""});
  EXPECT_THAT(Heartbeat("a", {slow}), IsEmpty()) << "its answer is wanted still";
  EXPECT_TRUE(scheduler_->WantsAnswerOf(slow, "a"));
}

TEST_F(AuditTest, AShardOfASettledTrialMayBeAudited) {
  AddTrial(1, {0});
  scheduler_->Complete(MustLease("a"), now_);
  EXPECT_FALSE(scheduler_->IsOpen(1));
  scheduler_->AddAudit(1, 0, {"a", "cpu"});
  EXPECT_TRUE(scheduler_->IsOpen(1));
  EXPECT_FALSE(scheduler_->HasOpenShard(1));
  EXPECT_EQ(MustLease("b").trial, 1);
}

TEST_F(AuditTest, AnExcludedWorkerGetsTheShardOnlyWhereNobodyElseIsThere) {
  AddTrial(1, {0});
  Lease("a");
  scheduler_->Fail(*scheduler_->HeldBy("a"), FailureClass::kInfra);
  scheduler_->Exclude(1, 0, "b");
  EXPECT_EQ(Lease("b"), std::nullopt);
  scheduler_->ForgetWorker("a");
  EXPECT_EQ(MustLease("b").trial, 1);
}

TEST_F(AuditTest, AQuarantinedWorkerGetsNothingUnderAnySession) {
  scheduler_->Introduce("a again", {"a", "cpu"});
  AddTrial(1, {0});
  scheduler_->Quarantine("a");
  EXPECT_EQ(Lease("a"), std::nullopt);
  EXPECT_EQ(Lease("a again"), std::nullopt);
  EXPECT_TRUE(scheduler_->IsBarred("a again"));
  EXPECT_EQ(MustLease("b").trial, 1);
}

TEST_F(AuditTest, AfterARewindOlderAttemptsAreStale) {
  AddTrial(1, {0});
  const ShardKey before = MustLease("a");
  scheduler_->Reset(2);
  AddTrial(1, {0});  // a trial of the same number that is another
  EXPECT_EQ(scheduler_->Judge(before), Verdict::kStale);
  EXPECT_THAT(Heartbeat("a", {before}), ElementsAre(before));
  EXPECT_EQ(MustLease("a").attempt, 2 * kFirst);
}

}  // namespace
}  // namespace heterosis
