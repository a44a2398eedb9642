// SPDX-License-Identifier: Apache-2.0
// Tests of worker/session against a scripted coordinator and a runner without models.
#include "worker/session/session.h"

#include <gtest/gtest.h>

#include <thread>

#include "common/base/file.h"
#include "common/genome/model_digest.h"
#include "tests/support/shared.h"
#include "tests/unit/worker/session/fixture.h"

namespace heterosis {
namespace {

TEST_F(SessionTest, RunsEveryShardAndEndsWhenTheExperimentDoes) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(AskAgain{}), LeaseAnswer(Work(2))};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results, (std::vector<ShardKey>{{1, 0, 1}, {2, 0, 1}}));
  EXPECT_EQ(runner_.prepared, 1);
}

TEST_F(SessionTest, AReportIsRepeatedUntilItIsAcknowledged) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.report_errors = {absl::UnavailableError("down"), absl::DeadlineExceededError("slow")};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results.size(), 1u);
}

TEST_F(SessionTest, ARestartedCoordinatorGetsTheResultUnderTheNewSession) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.report_errors = {absl::UnavailableError("down"), absl::NotFoundError("unknown session")};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results.size(), 1u);
  EXPECT_EQ(coordinator_.registrations, 2);
  EXPECT_EQ(coordinator_.last_session, "session-2");
  EXPECT_EQ(runner_.prepared, 1) << "the same task needs no second preparation";
}

TEST_F(SessionTest, AnUnknownSessionAtLeaseRegistersAgain) {
  coordinator_.leases = {absl::NotFoundError("unknown session"), LeaseAnswer(Work(3))};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.registrations, 2);
  EXPECT_EQ(coordinator_.results.size(), 1u);
}

TEST_F(SessionTest, AResultIsReportedUnderTheRunThatItWasLeasedUnder) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.reported_runs, std::vector<std::string>{"run-a"});
}

TEST_F(SessionTest, AResultIsDroppedWhereACoordinatorOfAnotherRunNowListens) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(Work(2))};
  coordinator_.report_errors = {absl::NotFoundError("unknown session")};
  coordinator_.on_report = [&] { coordinator_.run = "run-b"; };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results, (std::vector<ShardKey>{{2, 0, 1}}));  // the new one's own
  EXPECT_EQ(coordinator_.reported_runs, (std::vector<std::string>{"run-a", "run-b"}));
}

TEST_F(SessionTest, AShardOfAnotherRunIsCancelledByTheHeartbeatThatFindsOut) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.heartbeat_errors = {absl::NotFoundError("unknown session")};
  runner_.run = [&](const ShardWork& work, const std::atomic<bool>& cancelled) {
    return RunUntilCancelled(work, cancelled);
  };
  coordinator_.on_lease = [&] { coordinator_.run = "run-b"; };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.heartbeats, 1);
  EXPECT_TRUE(coordinator_.reported_runs.empty());
  EXPECT_TRUE(coordinator_.failures.empty());
}

TEST_F(SessionTest, AHeartbeatToARestartedCoordinatorRegistersAndKeepsTheShard) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.heartbeat_errors = {absl::NotFoundError("unknown session")};
  runner_.run = [&](const ShardWork& work, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    while (coordinator_.heartbeats < 2) std::this_thread::yield();
    return ShardResult{.key = work.key, .samples = {}};
  };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.registrations, 2);
  EXPECT_EQ(coordinator_.last_heartbeat.session, "session-2");
  EXPECT_EQ(coordinator_.last_heartbeat.run, "run-a");
  EXPECT_EQ(coordinator_.results.size(), 1u);
}

TEST_F(SessionTest, ARefusedResultCostsTheShardAnAttemptAndTheWorkerGoesOn) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(Work(2))};
  coordinator_.report_errors = {absl::InvalidArgumentError("not its samples " + std::string(10'000, 'x'))};
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.failures.size(), 1u);
  EXPECT_EQ(coordinator_.failures[0].key.trial, 1);
  EXPECT_EQ(coordinator_.failures[0].failure, FailureClass::kCrash);
  EXPECT_NE(coordinator_.failures[0].message.find("not its samples"), std::string::npos);
  EXPECT_LT(coordinator_.failures[0].message.size(), 5'000u);
  EXPECT_EQ(coordinator_.results, (std::vector<ShardKey>{{2, 0, 1}}));
}

TEST_F(SessionTest, ACoordinatorThatRefusesEvenFailuresEndsTheWorker) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(Work(2))};
  coordinator_.report_errors = {absl::InvalidArgumentError("no")};
  coordinator_.failure_errors = {absl::InvalidArgumentError("no again")};
  EXPECT_EQ(Run().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SessionTest, ACoordinatorThatAnswersAtOnceIsNotAskedWithoutEnd) {
  options_.retry_first = milliseconds(20);
  options_.retry_last = milliseconds(200);
  for (int i = 0; i < 1'000; ++i) coordinator_.leases.emplace_back(LeaseAnswer(AskAgain{}));
  const auto start = std::chrono::steady_clock::now();
  coordinator_.on_lease = [&] {
    if (std::chrono::steady_clock::now() - start > milliseconds(300)) stop_ = true;
  };
  ASSERT_TRUE(Run().ok());
  EXPECT_LT(coordinator_.lease_calls, 10);
}

TEST_F(SessionTest, AFailedShardIsReportedWithItsClass) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(Work(2)), LeaseAnswer(Work(3))};
  runner_.run = [](const ShardWork& work, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    if (work.key.trial == 1) return absl::DataLossError("NaN in the logits");
    if (work.key.trial == 3) return absl::ResourceExhaustedError("64 hops do not fit");
    return absl::InternalError("broken");
  };
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.failures.size(), 3u);
  EXPECT_EQ(coordinator_.failures[2].failure, FailureClass::kMemory);
  EXPECT_EQ(coordinator_.failures[0].failure, FailureClass::kNumeric);
  EXPECT_EQ(coordinator_.failures[0].message, "NaN in the logits");
  EXPECT_EQ(coordinator_.failures[1].failure, FailureClass::kCrash);
}

TEST_F(SessionTest, ALongShardIsKeptAliveByHeartbeats) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  runner_.run = [&](const ShardWork& work, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    while (coordinator_.heartbeats < 2) std::this_thread::yield();
    return ShardResult{.key = work.key, .samples = {}};
  };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.results.size(), 1u);
}

TEST_F(SessionTest, AShardThatWasTakenAwayIsDroppedSilently) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  coordinator_.cancel_all = true;
  runner_.run = RunUntilCancelled;
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(coordinator_.results.empty());
  EXPECT_TRUE(coordinator_.failures.empty());
}

TEST_F(SessionTest, StoppingGivesTheShardBackUncounted) {
  coordinator_.leases = {LeaseAnswer(Work(1))};
  runner_.run = [&](const ShardWork& work, const std::atomic<bool>& cancelled) {
    stop_ = true;
    return RunUntilCancelled(work, cancelled);
  };
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.failures.size(), 1u);
  EXPECT_EQ(coordinator_.failures[0].failure, FailureClass::kInfra);
}

TEST_F(SessionTest, ARefusedWorkerSaysWhy) {
  coordinator_.register_error = absl::FailedPreconditionError("protocol version 1, but this coordinator speaks 2");
  EXPECT_EQ(Run(), coordinator_.register_error);
}

TEST_F(SessionTest, AnUnreachableCoordinatorIsGivenUpAfterItsTime) {
  GiveUpSoon();
  coordinator_.register_error = absl::UnavailableError("connection refused");
  EXPECT_EQ(Run().code(), absl::StatusCode::kUnavailable);
  EXPECT_GT(coordinator_.registrations, 2);
}

TEST_F(SessionTest, AModelThatTheWorkerLacksIsNamed) {
  coordinator_.models = {{"math", "00"}};
  const absl::Status status = Run();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("--model math=FOLDER"), std::string::npos) << status;
}

TEST_F(SessionTest, TheWorkerTellsTheDigestOfItsOwnFiles) {
  TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", "{}").ok());
  options_.models = {{"math", folder.path()}};
  coordinator_.models = {{"math", "of another file"}};
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.leased_with.size(), 1u);
  EXPECT_EQ(coordinator_.leased_with[0].digest, ModelDigest(folder.path()).value());
}

TEST_F(SessionTest, AStopDuringThePreparationIsNoError) {
  runner_.prepare = [&] {
    stop_ = true;
    return absl::CancelledError("the evaluation was killed");
  };
  EXPECT_EQ(Run(), absl::OkStatus());
  EXPECT_EQ(coordinator_.lease_calls, 0);
}

TEST_F(SessionTest, ACanaryIsAnsweredUnderItsRun) {
  coordinator_.leases = {LeaseAnswer(CanaryWork{.number = 4}), LeaseAnswer(Work(1))};
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.canaries.size(), 1u);
  EXPECT_EQ(coordinator_.canaries[0], (CanaryResult{.number = 4, .answers = {{{{1, 0.5F}}}}}));
  EXPECT_EQ(coordinator_.reported_runs, (std::vector<std::string>{"run-a", "run-a"}));
  EXPECT_EQ(coordinator_.results.size(), 1u);
}

TEST_F(SessionTest, ACanaryThatCannotBeComputedIsReportedWithItsClass) {
  coordinator_.leases = {LeaseAnswer(CanaryWork{.number = 4}), LeaseAnswer(CanaryWork{.number = 5})};
  runner_.run_canary = [](const CanaryWork& work, const std::atomic<bool>&) -> absl::StatusOr<CanaryResult> {
    if (work.number == 4) return absl::DataLossError("NaN");
    return absl::InternalError("SIGSEGV");
  };
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(coordinator_.canaries.size(), 2u);
  EXPECT_EQ(coordinator_.canaries[0], (CanaryResult{.number = 4, .failure = FailureClass::kNumeric, .message = "NaN"}));
  EXPECT_EQ(coordinator_.canaries[1].failure, FailureClass::kCrash);
  EXPECT_EQ(coordinator_.device_errors, (std::vector<bool>{false, false, true}));
}

TEST_F(SessionTest, ALongCanaryIsKeptAliveByHeartbeats) {
  coordinator_.leases = {LeaseAnswer(CanaryWork{.number = 4})};
  runner_.run_canary = [&](const CanaryWork& work, const std::atomic<bool>&) -> absl::StatusOr<CanaryResult> {
    while (coordinator_.heartbeats < 2) std::this_thread::yield();
    return CanaryResult{.number = work.number};
  };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.canaries.size(), 1u);
}

TEST_F(SessionTest, AfterACrashTheWorkerAsksForACanaryUntilTheCoordinatorHasHeard) {
  coordinator_.leases = {LeaseAnswer(Work(1)), absl::UnavailableError("down"), LeaseAnswer(Work(2)),
                         LeaseAnswer(Work(3))};
  runner_.run = [](const ShardWork& work, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    if (work.key.trial == 1) return absl::InternalError("the evaluation died by SIGSEGV");
    if (work.key.trial == 2) return absl::DataLossError("NaN");  // the genome's fault, not the device's
    return ShardResult{.key = work.key, .samples = {}};
  };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(coordinator_.device_errors, (std::vector<bool>{false, true, true, false, false}));
}

TEST_F(SessionTest, AWorkerThatCanComputeNothingGivesTheShardBackAndEnds) {
  coordinator_.leases = {LeaseAnswer(Work(1)), LeaseAnswer(Work(2))};
  runner_.run = [](const ShardWork&, const std::atomic<bool>&) -> absl::StatusOr<ShardResult> {
    return absl::UnavailableError("the evaluation cannot be started again");
  };
  EXPECT_EQ(Run().code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(coordinator_.failures.size(), 1u);
  EXPECT_EQ(coordinator_.failures[0].failure, FailureClass::kInfra) << "no fault of the shard";
}

}  // namespace
}  // namespace heterosis
