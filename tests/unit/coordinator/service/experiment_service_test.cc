// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/service/experiment_service in this process: sessions, who gets work, long polls, and workers in
// threads. The experiment under it is a real one, the answers are simulated.
#include "coordinator/service/experiment_service.h"

#include <gmock/gmock.h>

#include <atomic>
#include <limits>
#include <thread>

#include "common/base/status.h"
#include "proto/wire.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr milliseconds kLease{10'000};

bool NeverGone() {
  return false;
}

class ExperimentServiceTest : public ExperimentTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(run_.Start().ok());
    Task task;
    task.prompt_template = "Q: {input}";
    task.language = "ja";
    service_.emplace(run_.experiment(), task, kLease);
    run_id_ = run_.experiment().run_id();
  }

  static v1::RegisterRequest Registration(const std::string& worker) {
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_recipe_version(Recipe::kVersion);
    request.set_worker(worker);
    request.set_device("cpu");
    return request;
  }
  std::string Join(const std::string& worker) {
    v1::RegisterResponse response;
    const absl::Status status = service_->Register(Registration(worker), &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.session();
  }

  // A lease call of a worker that has every model.
  v1::LeaseRequest LeaseRequest(const std::string& session, double wait_seconds = 0) const {
    v1::LeaseRequest request;
    request.set_session(session);
    request.set_wait_seconds(wait_seconds);
    for (const auto& [name, digest] : run_.setup.model_digests) {
      auto& identity = *request.add_models();
      identity.set_name(name);
      identity.set_digest(digest);
    }
    return request;
  }
  v1::LeaseResponse Lease(const std::string& session, double wait_seconds = 0) {
    v1::LeaseResponse response;
    const absl::Status status = service_->Lease(LeaseRequest(session, wait_seconds), NeverGone, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }
  // The work that a lease call must bring.
  ShardWork MustLease(const std::string& session) {
    const auto work = FromWire(Lease(session).work());
    EXPECT_TRUE(work.ok()) << work.status();
    return work.value_or(ShardWork{});
  }

  v1::ReportRequest ResultReport(const std::string& session, const ShardResult& result) const {
    v1::ReportRequest request;
    request.set_session(session);
    request.set_run(run_id_);
    *request.mutable_result() = ToWire(result);
    return request;
  }
  v1::ReportRequest FailureReport(const std::string& session, const ShardKey& key, FailureClass failure) const {
    v1::ReportRequest request;
    request.set_session(session);
    request.set_run(run_id_);
    *request.mutable_failure() = ToWire(ShardFailure{key, failure, "it did not work"});
    return request;
  }
  absl::StatusOr<bool> Report(const v1::ReportRequest& request) {
    v1::ReportResponse response;
    RETURN_IF_ERROR(service_->Report(request, &response));
    return response.accepted();
  }

  // What a worker does until it is told that all is done.
  void Work(const std::string& name) {
    const std::string session = Join(name);
    while (true) {
      const v1::LeaseResponse answer = Lease(session, /*wait_seconds=*/30);
      if (answer.finished()) return;
      if (!answer.has_work()) continue;
      const auto accepted = Report(ResultReport(session, Evaluate(FromWire(answer.work()).value())));
      EXPECT_TRUE(accepted.ok()) << accepted.status();
    }
  }

  SimulatedRun run_{folder_, "run.db"};
  std::string run_id_;
  std::optional<ExperimentService> service_;
};

TEST_F(ExperimentServiceTest, ARegistrationTellsAllThatAWorkerNeeds) {
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(Registration("gpu-box:0"), &response).ok());
  EXPECT_EQ(response.experiment(), "small");
  ASSERT_EQ(response.models_size(), 3);
  EXPECT_EQ(response.models(2).name(), "math");
  EXPECT_EQ(response.models(2).digest(), "digest of math");
  EXPECT_EQ(FromWire(response.task())->prompt_template, "Q: {input}");
  EXPECT_EQ(FromWire(response.task())->language, "ja");
  EXPECT_DOUBLE_EQ(response.heartbeat_seconds(), 2.5);  // a quarter of the lease
  EXPECT_EQ(run_.Query("SELECT name || ' ' || device FROM workers"), std::vector<std::string>{"gpu-box:0 cpu"});
}

TEST_F(ExperimentServiceTest, EveryRegistrationIsASessionOfItsOwn) {
  EXPECT_NE(Join("a"), Join("a"));
  ExperimentService other(run_.experiment(), Task(), kLease);  // as after a restart
  v1::RegisterResponse response;
  ASSERT_TRUE(other.Register(Registration("a"), &response).ok());
  EXPECT_EQ(
      service_->Lease(LeaseRequest(response.session()), NeverGone, std::make_unique<v1::LeaseResponse>().get()).code(),
      absl::StatusCode::kNotFound);
}

TEST_F(ExperimentServiceTest, AnotherProtocolOrRecipeVersionGetsNoSession) {
  v1::RegisterRequest request = Registration("a");
  request.set_protocol_version(kProtocolVersion + 1);
  v1::RegisterResponse response;
  absl::Status status = service_->Register(request, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("protocol 2"), HasSubstr("install the same release")));
  request = Registration("a");
  request.set_recipe_version(Recipe::kVersion + 1);
  EXPECT_EQ(service_->Register(request, &response).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(response.session(), "");
}

TEST_F(ExperimentServiceTest, ANameThatSpoilsTablesGetsNoSession) {
  for (const std::string& name : {std::string(201, 'a'), std::string("a\nb"), std::string("\x1b[2J")}) {
    v1::RegisterResponse response;
    const absl::Status status = service_->Register(Registration(name), &response);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("--name"));
  }
  EXPECT_NE(Join("\u3042"), "");
  EXPECT_EQ(run_.Query("SELECT count(*) FROM workers"), std::vector<std::string>{"1"});
}

TEST_F(ExperimentServiceTest, AnUnknownSessionIsToldToRegister) {
  v1::LeaseResponse lease;
  const absl::Status status = service_->Lease(LeaseRequest("unknown"), NeverGone, &lease);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("register again"));
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_session("unknown");
  v1::HeartbeatResponse answer;
  EXPECT_EQ(service_->Heartbeat(heartbeat, &answer).code(), absl::StatusCode::kNotFound);
  const ShardWork work = MustLease(Join("a"));
  EXPECT_EQ(Report(ResultReport("unknown", Evaluate(work))).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ExperimentServiceTest, AWorkerWithOtherModelFilesGetsNoWorkAndLearnsWhy) {
  v1::LeaseRequest request = LeaseRequest(Join("a"));
  for (auto& model : *request.mutable_models()) {
    if (model.name() == "math") model.set_digest("another digest");
  }
  v1::LeaseResponse response;
  const absl::Status status = service_->Lease(request, NeverGone, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("\"math\""), HasSubstr("differ"), HasSubstr("copy")));
  EXPECT_FALSE(response.has_work());
  EXPECT_EQ(service_->progress().shards_leased, 0);
}

TEST_F(ExperimentServiceTest, AWorkerThatLacksAModelGetsNoWork) {
  v1::LeaseRequest request = LeaseRequest(Join("a"));
  request.mutable_models()->RemoveLast();
  v1::LeaseResponse response;
  const absl::Status status = service_->Lease(request, NeverGone, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no model"));
}

TEST_F(ExperimentServiceTest, ARepeatedLeaseCallGetsTheSameShard) {
  const std::string session = Join("a");
  const ShardWork first = MustLease(session);
  EXPECT_EQ(first.problems.size(), 2u);
  EXPECT_EQ(MustLease(session), first);
  EXPECT_EQ(service_->progress().shards_leased, 1);
}

TEST_F(ExperimentServiceTest, ACallerThatIsGoneTakesNoShard) {
  v1::LeaseResponse response;
  ASSERT_TRUE(service_
                  ->Lease(
                      LeaseRequest(Join("a"), 30), [] { return true; }, &response)
                  .ok());
  EXPECT_TRUE(response.retry());
  EXPECT_EQ(service_->progress().shards_leased, 0);
}

TEST_F(ExperimentServiceTest, AResultCountsOnce) {
  const std::string session = Join("a");
  const v1::ReportRequest report = ResultReport(session, Evaluate(MustLease(session)));
  EXPECT_EQ(Report(report).value(), true);
  EXPECT_EQ(Report(report).value(), false);
  EXPECT_EQ(service_->progress().samples_done, 2);
}

TEST_F(ExperimentServiceTest, AResultOfAnotherRunDoesNotCount) {
  // Two databases of one config: the same trials under the same numbers, the second with other model files, say.
  SimulatedRun other(folder_, "other.db");
  ASSERT_TRUE(other.Start().ok());
  EXPECT_NE(other.experiment().run_id(), run_id_);
  const std::string session = Join("a");
  v1::ReportRequest report = ResultReport(session, Evaluate(MustLease(session)));
  report.set_run(other.experiment().run_id());
  EXPECT_EQ(Report(report).value(), false);
  report.clear_run();
  EXPECT_EQ(Report(report).value(), false);
  EXPECT_EQ(service_->progress().samples_done, 0);
  report.set_run(run_id_);
  EXPECT_EQ(Report(report).value(), true);
}

TEST_F(ExperimentServiceTest, AHeartbeatOfAnotherRunIsToldToDropTheShard) {
  const std::string session = Join("a");
  const ShardWork work = MustLease(session);
  v1::HeartbeatRequest request;
  request.set_session(session);
  request.set_run("of another database");
  *request.add_holding() = ToWire(work.key);
  v1::HeartbeatResponse response;
  ASSERT_TRUE(service_->Heartbeat(request, &response).ok());
  ASSERT_EQ(response.cancelled_size(), 1);
  EXPECT_EQ(FromWire(response.cancelled(0)), work.key);
}

TEST_F(ExperimentServiceTest, TheRunKeepsItsNameThroughRestarts) {
  EXPECT_EQ(run_id_.size(), 32u);
  run_.Kill();
  service_.reset();
  ASSERT_TRUE(run_.Start().ok());
  EXPECT_EQ(run_.experiment().run_id(), run_id_);
  service_.emplace(run_.experiment(), Task(), kLease);
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(Registration("a"), &response).ok());
  EXPECT_EQ(response.run(), run_id_);
}

TEST_F(ExperimentServiceTest, ARegistrationThatCannotBeWrittenIsWorthARetry) {
  run_.Kill();
  service_.reset();
  bool full = false;
  run_.commit_hook = [&](std::string_view point) {
    return full && point == "before worker" ? absl::InternalError("something about the disk") : absl::OkStatus();
  };
  ASSERT_TRUE(run_.Start().ok());
  service_.emplace(run_.experiment(), Task(), kLease);
  full = true;
  v1::RegisterResponse response;
  EXPECT_EQ(service_->Register(Registration("a"), &response).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(response.session(), "");
  full = false;
  EXPECT_TRUE(service_->Register(Registration("a"), &response).ok());
}

TEST_F(ExperimentServiceTest, TheShardOfALostWorkerIsFreeAtOnce) {
  const ShardWork work = MustLease(Join("local-0"));
  const ShardWork kept = MustLease(Join("local-1"));
  service_->WorkerLost("local-0");
  EXPECT_EQ(service_->progress().workers, 1);
  const ShardWork again = MustLease(Join("local-0"));
  EXPECT_EQ(again.samples, work.samples);
  EXPECT_EQ(again.key.attempt, work.key.attempt + 1);
  EXPECT_NE(again.samples, kept.samples);
  EXPECT_EQ(run_.Query("SELECT class || ': ' || message FROM failures"),
            std::vector<std::string>{"infra: the worker has gone"});
}

TEST_F(ExperimentServiceTest, ReportsThatMakeNoSenseAreTheWorkersFault) {
  const std::string session = Join("a");
  const ShardWork work = MustLease(session);
  ShardResult result = Evaluate(work);
  result.samples.pop_back();
  EXPECT_EQ(Report(ResultReport(session, result)).status().code(), absl::StatusCode::kInvalidArgument);
  v1::ReportRequest nothing;
  nothing.set_session(session);
  EXPECT_EQ(Report(nothing).status().code(), absl::StatusCode::kInvalidArgument);
  v1::ReportRequest broken = FailureReport(session, work.key, FailureClass::kCrash);
  broken.mutable_failure()->set_failure("boredom");
  EXPECT_EQ(Report(broken).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Report(ResultReport(session, Evaluate(work))).value(), true);  // none of these cost it its lease
}

TEST_F(ExperimentServiceTest, AResultThatCannotBeWrittenIsAskedForAgain) {
  const std::string session = Join("a");
  const v1::ReportRequest report = ResultReport(session, Evaluate(MustLease(session)));
  run_.Kill();
  service_.reset();
  bool disk_full = false;
  run_.commit_hook = [&](std::string_view point) {
    return disk_full && point == "before shard" ? absl::ResourceExhaustedError("disk full") : absl::OkStatus();
  };
  ASSERT_TRUE(run_.Start().ok());
  service_.emplace(run_.experiment(), Task(), kLease);
  const std::string again = Join("a");
  v1::ReportRequest repeated = ResultReport(again, Evaluate(MustLease(again)));
  disk_full = true;
  const absl::Status status = Report(repeated).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);  // worth a retry
  EXPECT_THAT(std::string(status.message()), HasSubstr("disk full"));
  disk_full = false;
  EXPECT_EQ(Report(repeated).value(), true);
}

TEST_F(ExperimentServiceTest, AnErrorThatCannotPassIsToldToTheRunToo) {
  run_.Kill();
  service_.reset();
  absl::Status trouble;
  run_.commit_hook = [&](std::string_view point) { return point == "before shard" ? trouble : absl::OkStatus(); };
  ASSERT_TRUE(run_.Start().ok());
  service_.emplace(run_.experiment(), Task(), kLease);
  const std::string session = Join("a");
  const v1::ReportRequest report = ResultReport(session, Evaluate(MustLease(session)));
  trouble = absl::ResourceExhaustedError("disk full");
  EXPECT_EQ(Report(report).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(service_->Tick().ok());
  trouble = absl::DataLossError("damaged");
  EXPECT_EQ(Report(report).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(service_->Tick(), trouble);
}

TEST_F(ExperimentServiceTest, AWorkerThatCannotDoTheWorkIsSentAway) {
  const std::string session = Join("a");
  EXPECT_EQ(Report(FailureReport(session, MustLease(session).key, FailureClass::kInvalid)).value(), true);
  v1::LeaseResponse response;
  EXPECT_EQ(service_->Lease(LeaseRequest(session), NeverGone, &response).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Lease(Join("b")).has_work());
}

TEST_F(ExperimentServiceTest, AFailureOfAShardThatAnotherWorkerHoldsIsNotCounted) {
  const ShardWork work = MustLease(Join("a"));
  EXPECT_EQ(Report(FailureReport(Join("b"), work.key, FailureClass::kCrash)).value(), false);
}

TEST_F(ExperimentServiceTest, HeartbeatsSayWhatToDrop) {
  const std::string session = Join("a");
  const ShardWork work = MustLease(session);
  v1::HeartbeatRequest request;
  request.set_session(session);
  request.set_run(run_id_);
  *request.add_holding() = ToWire(work.key);
  *request.add_holding() = ToWire(ShardKey{work.key.trial, work.key.shard, work.key.attempt + 7});
  v1::HeartbeatResponse response;
  ASSERT_TRUE(service_->Heartbeat(request, &response).ok());
  ASSERT_EQ(response.cancelled_size(), 1);
  EXPECT_EQ(response.cancelled(0).attempt(), work.key.attempt + 7);
}

TEST_F(ExperimentServiceTest, TicksGiveTheShardsOfSilentWorkersToOthers) {
  const ShardWork work = MustLease(Join("a"));
  run_.clock.Advance(kLease + milliseconds(1));
  ASSERT_TRUE(service_->Tick().ok());
  const ShardWork again = MustLease(Join("b"));
  EXPECT_EQ(again.samples, work.samples);
  EXPECT_EQ(again.key.attempt, work.key.attempt + 1);
}

TEST_F(ExperimentServiceTest, WithoutWorkALeaseCallAsksToTryAgainAndOddWaitsAreNone) {
  const std::string session = Join("a");
  service_->StopLeasing();
  for (const double wait : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), 1e300}) {
    EXPECT_TRUE(Lease(session, wait).retry()) << wait;
  }
}

// Leases all that is open to workers of their own, so that another one has to wait.
TEST_F(ExperimentServiceTest, AWaitingCallGetsWorkAsSoonAsThereIsSome) {
  std::vector<std::pair<std::string, ShardWork>> held;
  for (int i = 0; service_->progress().shards_leased < service_->progress().shards_open; ++i) {
    const std::string session = Join("holder " + std::to_string(i));
    held.emplace_back(session, MustLease(session));
  }
  const std::string waiting = Join("waiting");
  EXPECT_TRUE(Lease(waiting).retry());
  v1::LeaseResponse answer;
  std::thread poll([&] { answer = Lease(waiting, 30); });
  for (const auto& [session, work] : held) {
    EXPECT_EQ(Report(ResultReport(session, Evaluate(work))).value(), true);
  }
  poll.join();  // the parents are scored: the first generation has come up
  EXPECT_TRUE(answer.has_work());
}

TEST_F(ExperimentServiceTest, WaitingCallsReturnWhenTheCoordinatorStops) {
  for (int i = 0; service_->progress().shards_leased < service_->progress().shards_open; ++i) {
    MustLease(Join("holder " + std::to_string(i)));
  }
  const std::string waiting = Join("waiting");
  std::thread poll([&] { EXPECT_TRUE(Lease(waiting, 30).retry()); });
  service_->StopLeasing();
  poll.join();
}

TEST_F(ExperimentServiceTest, TheEndIsToldToEveryWorkerThatWasHeardOfLately) {
  const std::string session = Join("a"), waiting = Join("b"), dead = Join("local-0");
  EXPECT_FALSE(service_->EveryoneKnowsTheEnd());
  while (!service_->finished()) {
    ASSERT_EQ(Report(ResultReport(session, Evaluate(MustLease(session)))).value(), true);
  }
  service_->StopLeasing();  // as the server does when it goes
  EXPECT_FALSE(service_->EveryoneKnowsTheEnd());
  EXPECT_TRUE(Lease(waiting).finished());
  service_->WorkerLost("local-0");
  EXPECT_FALSE(service_->EveryoneKnowsTheEnd()) << "the one that reported last has not asked yet";
  EXPECT_TRUE(Lease(session, 30).finished());
  EXPECT_TRUE(service_->EveryoneKnowsTheEnd());
}

TEST_F(ExperimentServiceTest, WhoWaitsInACallIsToldTheEndAndWhoHasLongBeenSilentIsNotWaitedFor) {
  FakeClock clock;
  service_.emplace(run_.experiment(), Task(), kLease, ServiceOptions{.clock = &clock});
  const v1::LeaseRequest call = LeaseRequest(Join("waiting"));
  service_->StopLeasing();  // it gets no work
  const auto time_passes = [&clock] { return clock.Advance(2 * kLease), false; };
  v1::LeaseResponse answer;
  ASSERT_TRUE(service_->Lease(call, time_passes, &answer).ok());
  ASSERT_TRUE(run_.RunToEnd().ok());
  EXPECT_FALSE(service_->EveryoneKnowsTheEnd());
  clock.Advance(2 * kLease);
  EXPECT_TRUE(service_->EveryoneKnowsTheEnd());
}

// The rules of canaries are tested in tests/unit/coordinator/experiment.
TEST_F(ExperimentServiceTest, ACanaryComesBeforeWorkAndAgainAfterAnErrorOfTheDevice) {
  SimulatedRun run(folder_, "canary.db");
  run.setup.config.mutable_scheduling()->set_canary_every(200);
  ASSERT_TRUE(run.Start().ok());
  service_.emplace(run.experiment(), Task(), kLease);
  const std::string session = Join("a");
  v1::LeaseRequest request = LeaseRequest(session);
  for (const int64_t number : {1, 2}) {
    v1::LeaseResponse response;
    ASSERT_TRUE(service_->Lease(request, NeverGone, &response).ok());
    ASSERT_TRUE(response.has_canary());
    const CanaryWork work = FromWire(response.canary()).value();
    EXPECT_EQ(work.number, number);
    CanaryResult result{.number = work.number};
    for (size_t i = 0; i < work.problems.size(); ++i) result.answers.push_back({{{7, 1.5F}}});
    v1::ReportRequest report;
    report.set_session(session);
    report.set_run(run.experiment().run_id());
    *report.mutable_canary() = ToWire(result);
    EXPECT_TRUE(*Report(report));
    EXPECT_FALSE(*Report(report)) << "a repeated report counts once";
    EXPECT_TRUE(Lease(session).has_work());
    request.set_device_error(true);
  }
  EXPECT_EQ(run.Query("SELECT outcome FROM canaries"), (std::vector<std::string>{"good", "good"}));
}

TEST_F(ExperimentServiceTest, WorkersInThreadsFindWhatOneWorkerFinds) {
  SimulatedRun alone(folder_, "alone.db");
  ASSERT_TRUE(alone.Start().ok());
  ASSERT_TRUE(alone.RunToEnd().ok());
  std::atomic<bool> over = false;
  std::thread ticker([&] {
    while (!over) EXPECT_TRUE(service_->Tick().ok());
  });
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) workers.emplace_back([this, i] { Work("worker " + std::to_string(i)); });
  for (std::thread& worker : workers) worker.join();
  over = true;
  ticker.join();
  EXPECT_TRUE(service_->finished());
  EXPECT_EQ(service_->progress().state, ExperimentState::kDone);
  service_.reset();
  EXPECT_EQ(run_.Contents(), alone.Contents());
}

}  // namespace
}  // namespace heterosis
