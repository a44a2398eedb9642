// SPDX-License-Identifier: Apache-2.0
// Canaries in a running experiment: when workers get them, what they vouch for, and what follows a wrong one.
#include <gmock/gmock.h>

#include <chrono>

#include "common/base/status.h"
#include "tests/unit/coordinator/experiment/fleet.h"

namespace heterosis {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kEvery = 5;

class CanariesTest : public ExperimentTest {
 protected:
  // Without audits, so that all that is found is found by canaries.
  std::unique_ptr<SimulatedRun> Prepare(const std::string& name) {
    auto run = std::make_unique<SimulatedRun>(folder_, name + ".db");
    run->setup = FleetSetup();
    run->setup.config.mutable_phases(0)->mutable_budget()->set_generations(2);
    run->setup.config.mutable_scheduling()->set_replication(v1::Scheduling::NEVER);
    run->setup.config.mutable_scheduling()->set_canary_every(kEvery);
    return run;
  }
  std::unique_ptr<SimulatedRun> Start(const std::string& name) {
    auto run = Prepare(name);
    EXPECT_TRUE(run->Start().ok());
    return run;
  }

  const std::string& Expected() {
    if (expected_.empty()) {
      const auto run = Start("undisturbed");
      EXPECT_TRUE(run->RunToEnd().ok());
      expected_ = run->Contents();
    }
    return expected_;
  }

  // Whether the worker is asked for a canary; answers it.
  static bool Answers(SimulatedRun& run, const std::string& session, float off = 0) {
    const std::optional<CanaryWork> work = run.experiment().CanaryFor(session);
    if (!work.has_value()) return false;
    const absl::StatusOr<bool> counted = run.experiment().ReportCanary(session, AnswerCanary(*work, off));
    EXPECT_TRUE(counted.ok() && *counted) << counted.status();
    return true;
  }
  static bool Fails(SimulatedRun& run, const std::string& session, FailureClass failure) {
    const std::optional<CanaryWork> work = run.experiment().CanaryFor(session);
    if (!work.has_value()) return false;
    EXPECT_TRUE(
        *run.experiment().ReportCanary(session, {.number = work->number, .failure = failure, .message = "it failed"}));
    return true;
  }
  // Whether the worker gets a shard; computes it.
  static bool Works(SimulatedRun& run, const std::string& session) {
    const std::optional<ShardWork> work = *run.experiment().Lease(session);
    if (!work.has_value()) return false;
    EXPECT_TRUE(*run.experiment().Report(session, Evaluate(*work)));
    return true;
  }
  static std::vector<std::string> Quarantined(const SimulatedRun& run) {
    return run.Query("SELECT name FROM trust WHERE quarantined ORDER BY name");
  }
  static std::vector<std::string> Outcomes(const SimulatedRun& run) {
    return run.Query("SELECT outcome FROM canaries ORDER BY canary");
  }

  std::string expected_;
};

TEST_F(CanariesTest, AWorkerGetsOneBeforeItsFirstShardAndTheSameUntilItHasAnswered) {
  const auto run = Start("first");
  const std::string a = run->Join("a");
  const std::optional<CanaryWork> work = run->experiment().CanaryFor(a);
  ASSERT_TRUE(work.has_value());
  EXPECT_TRUE(ValidateCanary(*work).ok());
  EXPECT_EQ(work->problems.size(), 3u);
  EXPECT_EQ(run->experiment().CanaryFor(a), work) << "the answer to its call was lost";
  EXPECT_TRUE(*run->experiment().ReportCanary(a, AnswerCanary(*work)));
  EXPECT_FALSE(*run->experiment().ReportCanary(a, AnswerCanary(*work))) << "a repeated report counts once";
  EXPECT_EQ(run->experiment().CanaryFor(a), std::nullopt);
  EXPECT_THAT(Outcomes(*run), ElementsAre("good"));
  EXPECT_TRUE(Works(*run, a));
}

TEST_F(CanariesTest, AndAgainAfterSoManyShards) {
  const auto run = Start("every");
  const std::string a = run->Join("a");
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(Answers(*run, a));
    for (int i = 0; i < kEvery; ++i) {
      EXPECT_FALSE(Answers(*run, a));
      ASSERT_TRUE(Works(*run, a));
    }
  }
}

TEST_F(CanariesTest, NoneWhereTheConfigSaysSo) {
  const auto run = Prepare("zero");
  run->setup.config.mutable_scheduling()->set_canary_every(0);
  ASSERT_TRUE(run->Start().ok());
  const std::string a = run->Join("a");
  EXPECT_FALSE(Answers(*run, a));
  run->experiment().DoubtDevice(a);
  EXPECT_FALSE(Answers(*run, a));
}

TEST_F(CanariesTest, AGoodOneVouchesForWhatTheSessionHasDone) {
  const auto run = Start("vouches");
  const std::string a = run->Join("a"), b = run->Join("b");
  ASSERT_TRUE(Answers(*run, a) && Answers(*run, b));
  for (int i = 0; i < kEvery; ++i) ASSERT_TRUE(Works(*run, a));
  ASSERT_TRUE(Works(*run, b));
  EXPECT_THAT(run->Query("SELECT count(*) FROM shards WHERE vouched > 0"), ElementsAre("0"));
  ASSERT_TRUE(Answers(*run, a));
  EXPECT_THAT(run->Query("SELECT DISTINCT name || vouched FROM shards JOIN workers USING (worker) ORDER BY 1"),
              ElementsAre("a2", "b0"));
}

TEST_F(CanariesTest, AfterAnErrorOfItsDeviceAWorkerGetsOneWhichDoesNotVouchForWhatWasBefore) {
  const auto run = Start("doubt");
  const std::string a = run->Join("a");
  ASSERT_TRUE(Answers(*run, a));
  ASSERT_TRUE(Works(*run, a));
  run->clock.Advance(seconds(1));
  run->experiment().DoubtDevice(a);
  ASSERT_TRUE(Answers(*run, a));
  EXPECT_THAT(run->Query("SELECT count(*) FROM shards WHERE vouched > 0"), ElementsAre("0"));
  run->clock.Advance(seconds(1));
  for (int i = 0; i < kEvery; ++i) ASSERT_TRUE(Works(*run, a));
  ASSERT_TRUE(Answers(*run, a));
  EXPECT_THAT(run->Query("SELECT sum(vouched = 2) || ' of ' || count(*) FROM shards WHERE state = 'done'"),
              ElementsAre("5 of 6"));
}

TEST_F(CanariesTest, AWorkerThatGoesBadIsFoundByItsNextOneAndTheSearchEndsAsWithoutIt) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto run = Start(absl::StrCat("turns", seed));
    constexpr int kGood = kEvery + 2;
    std::vector<FleetWorker> workers = {{.name = "healthy 0"}, {.name = "healthy 1"}};
    workers.push_back(
        {.name = "turns", .evaluate = SilentlyWrong(0.5, seed, kGood), .canary = [](const CanaryWork& work, int given) {
           return AnswerCanary(work, given >= kGood ? 3.0F : 0.0F);
         }});
    ASSERT_TRUE(RunFleet(*run, workers, seed).ok());
    if (workers.back().given <= 2 * kEvery && Quarantined(*run).empty()) continue;  // the run ended before its next
    ASSERT_THAT(Quarantined(*run), ElementsAre("turns"));
    EXPECT_EQ(workers.back().given, 2 * kEvery);
    EXPECT_TRUE(run->Contents() == Expected());
    EXPECT_THAT(run->Query("SELECT DISTINCT name FROM shards JOIN workers USING (worker) WHERE vouched = 0 AND name = "
                           "'turns'"),
                IsEmpty());
    EXPECT_THAT(run->Query("SELECT reason FROM rewinds"), ElementsAre(HasSubstr("turns: its answer to the canary")));
  }
}

TEST_F(CanariesTest, AWrongFirstOneGetsNoShardAndIsToldWhy) {
  const auto run = Start("wrong");
  ASSERT_TRUE(Answers(*run, run->Join("a")) && Answers(*run, run->Join("b")));
  const std::string sick = run->Join("sick");
  ASSERT_TRUE(Answers(*run, sick, 3));
  EXPECT_FALSE(Works(*run, sick));
  EXPECT_THAT(run->experiment().WhyBarred(sick), HasSubstr("canary"));
  EXPECT_THAT(Quarantined(*run), ElementsAre("sick"));
}

TEST_F(CanariesTest, OfTwoThatDifferTheSecondWaitsButWorksWhereItIsAlone) {
  const auto run = Start("two");
  const std::string a = run->Join("a"), b = run->Join("b");
  ASSERT_TRUE(Answers(*run, a) && Answers(*run, b, 3));
  EXPECT_THAT(Outcomes(*run), ElementsAre("good", "waits"));
  EXPECT_THAT(Quarantined(*run), IsEmpty());
  EXPECT_TRUE(Works(*run, a));
  EXPECT_FALSE(Works(*run, b));
  EXPECT_EQ(run->experiment().WhyBarred(b), "") << "it is not sent away";
  ASSERT_TRUE(run->experiment().WorkerLost(a).ok());
  EXPECT_TRUE(Works(*run, b));
  // The third takes back what turns out wrong.
  const std::string c = run->Join("c");
  ASSERT_TRUE(Answers(*run, c));
  EXPECT_THAT(Quarantined(*run), ElementsAre("b"));
  EXPECT_THAT(run->Query("SELECT DISTINCT name FROM shards JOIN workers USING (worker)"), ElementsAre("a"));
}

TEST_F(CanariesTest, AThirdThatAgreesWithTheSecondTakesBackWhatTheFirstHasDone) {
  const auto run = Start("third");
  const std::string a = run->Join("a"), b = run->Join("b");
  ASSERT_TRUE(Answers(*run, a, 3) && Answers(*run, b));
  ASSERT_TRUE(Works(*run, a));
  ASSERT_TRUE(Answers(*run, run->Join("c")));
  EXPECT_THAT(Quarantined(*run), ElementsAre("a"));
  EXPECT_THAT(run->Query("SELECT count(*) FROM shards WHERE state = 'done'"), ElementsAre("0"));
  EXPECT_TRUE(Works(*run, b));
}

// With audits, a worker that waits must not be waited for.
TEST_F(CanariesTest, ARunWithADisputeComesToItsEnd) {
  const auto run = Prepare("dispute");
  run->setup.config.mutable_scheduling()->set_replication(v1::Scheduling::AUTO);
  ASSERT_TRUE(run->Start().ok());
  std::vector<FleetWorker> workers = {{.name = "first"}};
  workers.push_back({.name = "second", .evaluate = SilentlyWrong(0.5, 1), .canary = [](const CanaryWork& work, int) {
                       return AnswerCanary(work, 3);
                     }});
  const std::string first = run->Join("first");
  ASSERT_TRUE(Answers(*run, first));
  ASSERT_TRUE(RunFleet(*run, workers, 1).ok());
  EXPECT_EQ(run->experiment().state(), ExperimentState::kDone);
  EXPECT_EQ(workers.back().given, 0);
}

TEST_F(CanariesTest, ARestartKeepsTheReferenceAndTheDispute) {
  const auto run = Start("restart");
  ASSERT_TRUE(Answers(*run, run->Join("a")) && Answers(*run, run->Join("b"), 3));
  ASSERT_TRUE(run->Start().ok());
  const std::string a = run->Join("a"), b = run->Join("b");
  EXPECT_TRUE(Works(*run, a));
  EXPECT_FALSE(Works(*run, b)) << "it still waits";
  ASSERT_TRUE(Answers(*run, run->Join("c")));
  EXPECT_THAT(Quarantined(*run), ElementsAre("b"));
  ASSERT_TRUE(run->Start().ok());
  ASSERT_TRUE(Answers(*run, run->Join("d"), 3)) << "the first of this start to answer";
  EXPECT_THAT(Quarantined(*run), ElementsAre("b", "d"));
}

TEST_F(CanariesTest, LocalWorkersGetNoneUnlessTheyAreAudited) {
  const auto run = Prepare("local");
  run->setup.local_workers = {"local 0", "local 1"};
  ASSERT_TRUE(run->Start().ok());
  const std::string local = run->Join("local 0"), other = run->Join("local 1");
  EXPECT_FALSE(Answers(*run, local));
  EXPECT_TRUE(Works(*run, local));
  EXPECT_TRUE(Works(*run, other));
  EXPECT_TRUE(Answers(*run, run->Join("elsewhere")));
  EXPECT_TRUE(Answers(*run, local)) << "one from elsewhere is there";
  const auto always = Prepare("always");
  always->setup.config.mutable_scheduling()->set_replication(v1::Scheduling::ALWAYS);
  always->setup.local_workers = {"local 0"};
  ASSERT_TRUE(always->Start().ok());
  EXPECT_TRUE(Answers(*always, always->Join("local 0")));
}

TEST_F(CanariesTest, AFailureIsTriedAgainAndAfterThreeInARowTheSessionGetsNoMoreWork) {
  const auto run = Start("fails");
  const std::string a = run->Join("a"), b = run->Join("b");
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Fails(*run, a, FailureClass::kInfra)) << "nobody's fault";
  ASSERT_TRUE(Fails(*run, a, FailureClass::kCrash) && Fails(*run, a, FailureClass::kNumeric));
  ASSERT_TRUE(Answers(*run, a));
  EXPECT_TRUE(Works(*run, a));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Fails(*run, b, FailureClass::kCrash));
  EXPECT_FALSE(Fails(*run, b, FailureClass::kCrash));
  EXPECT_FALSE(Works(*run, b));
  EXPECT_NE(run->experiment().WhyBarred(b), "");
  EXPECT_THAT(Quarantined(*run), IsEmpty()) << "nothing of it was wrong";
  const std::string small = run->Join("small");
  EXPECT_TRUE(Fails(*run, small, FailureClass::kMemory));
  EXPECT_TRUE(Works(*run, small)) << "it may do what fits";
}

TEST_F(CanariesTest, AnAnswerThatMakesNoSenseIsNoReference) {
  const auto run = Start("nonsense");
  const std::string a = run->Join("a");
  const CanaryWork work = *run->experiment().CanaryFor(a);
  EXPECT_TRUE(absl::IsInvalidArgument(run->experiment().ReportCanary(a, {.number = work.number}).status()));
  ASSERT_TRUE(*run->experiment().ReportCanary(a, AnswerCanary(work, std::numeric_limits<float>::quiet_NaN())));
  EXPECT_THAT(Outcomes(*run), ElementsAre("failed"));
  EXPECT_FALSE(*run->experiment().ReportCanary(a, {.number = 77})) << "nobody asked for it";
}

TEST_F(CanariesTest, ANewBestIsComputedByTwoWorkersWhateverACanaryVouchesFor) {
  const auto run = Prepare("best");
  run->setup.config.mutable_scheduling()->set_replication(v1::Scheduling::AUTO);
  run->setup.config.mutable_scheduling()->set_canary_every(1);
  ASSERT_TRUE(run->Start().ok());
  std::vector<FleetWorker> workers = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
  ASSERT_TRUE(RunFleet(*run, workers, 5).ok());
  EXPECT_THAT(Quarantined(*run), IsEmpty());
  EXPECT_NE(run->Query("SELECT count(*) FROM shards WHERE vouched = 2")[0], "0");
  EXPECT_THAT(run->Query("SELECT count(*) FROM shards s WHERE s.vouched <> 1 AND s.trial = (SELECT coalesce(t.same_as, "
                         "t.trial) FROM trials t WHERE t.purpose = 'search' ORDER BY t.score DESC, t.trial LIMIT 1)"),
              ElementsAre("0"));
}

TEST_F(CanariesTest, DeathAtAnyCommitPointLosesNothing) {
  constexpr uint64_t kSeed = 4;
  const auto fleet = [] {
    std::vector<FleetWorker> workers = {{.name = "healthy 0"}, {.name = "healthy 1"}};
    workers.push_back(
        {.name = "turns", .evaluate = SilentlyWrong(0.5, kSeed, 3), .canary = [](const CanaryWork& work, int given) {
           return AnswerCanary(work, given >= 3 ? 3.0F : 0.0F);
         }});
    return workers;
  };
  std::map<std::string, int> died;
  for (int death = 0;; ++death) {
    const auto run = Prepare(absl::StrCat("death", death));
    int point = 0;
    bool dead = false;
    run->commit_hook = [&](std::string_view name) {
      if (point++ == death) {
        dead = true;
        ++died[std::string(name)];
      }
      return dead ? absl::AbortedError("killed here") : absl::OkStatus();
    };
    std::vector<FleetWorker> workers = fleet();
    const bool ended = run->Start().ok() && RunFleet(*run, workers, kSeed).ok();
    if (!dead) {
      ASSERT_TRUE(ended);
      ASSERT_THAT(Quarantined(*run), ElementsAre("turns"));
      break;
    }
    run->commit_hook = nullptr;
    run->Kill();
    ASSERT_TRUE(run->Start().ok()) << "point " << death;
    ASSERT_TRUE(RunFleet(*run, workers, kSeed + 1).ok()) << "point " << death;
    if (workers.back().given <= 3) continue;  // it died before it went wrong, and its first canary has found it since
    ASSERT_THAT(Quarantined(*run), ElementsAre("turns")) << "point " << death;
    ASSERT_TRUE(run->Contents() == Expected()) << "killed at point " << death;
  }
  for (const char* kind : {"before canary", "after canary", "before rewind", "after rewind"}) {
    EXPECT_GT(died[kind], 0) << kind;
  }
}

}  // namespace
}  // namespace heterosis
