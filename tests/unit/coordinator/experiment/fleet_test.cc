// SPDX-License-Identifier: Apache-2.0
// Workers that compute wrongly without noticing: found, quarantined, and the search ends as without them.
#include "tests/unit/coordinator/experiment/fleet.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "common/base/random.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "tests/support/repetitions.h"

namespace heterosis {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const auto kSeeds = static_cast<uint64_t>(Repetitions(100, 10));

class FleetTest : public ExperimentTest {
 protected:
  std::unique_ptr<SimulatedRun> Start(const std::string& name, int generations = 4) {
    auto run = std::make_unique<SimulatedRun>(folder_, name + ".db");
    run->setup = FleetSetup();
    run->setup.config.mutable_phases(0)->mutable_budget()->set_generations(generations);
    EXPECT_TRUE(run->Start().ok());
    return run;
  }

  // What one healthy worker finds.
  const std::string& Expected(int generations = 4) {
    if (expected_.empty()) {
      const auto run = Start("undisturbed", generations);
      EXPECT_TRUE(run->RunToEnd().ok());
      expected_ = run->Contents();
    }
    return expected_;
  }

  static std::vector<FleetWorker> Healthy(int count) {
    std::vector<FleetWorker> workers;
    for (int i = 0; i < count; ++i) workers.push_back({.name = absl::StrCat("healthy ", i)});
    return workers;
  }

  static std::vector<std::string> Quarantined(const SimulatedRun& run) {
    return run.Query("SELECT name FROM trust WHERE quarantined ORDER BY name");
  }

  // Shards of the best of all generations, and of the winner of the selection, that one worker alone has computed.
  static std::vector<std::string> UnauditedOfBest(const SimulatedRun& run) {
    return run.Query(
        "SELECT s.trial, s.shard FROM shards s WHERE s.vouched = 0 AND s.trial IN (SELECT coalesce(t.same_as, t.trial) "
        "FROM trials t JOIN genomes g USING (genome) WHERE (g.chosen AND t.purpose = 'rescore') OR t.trial = (SELECT "
        "trial FROM trials WHERE purpose = 'search' ORDER BY score DESC, trial LIMIT 1))");
  }

  std::string expected_;
};

TEST_F(FleetTest, AWorkerThatIsSilentlyWrongInTwoPercentIsFoundAndTheSearchEndsAsWithoutIt) {
  std::vector<int> shards;
  int rewound = 0, removed = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto run = Start(absl::StrCat("sick", seed));
    std::vector<FleetWorker> workers = Healthy(3);
    workers.push_back({.name = "sick", .evaluate = SilentlyWrong(0.02, seed)});
    ASSERT_TRUE(RunFleet(*run, workers, seed).ok());
    ASSERT_THAT(Quarantined(*run), ElementsAre("sick"));
    ASSERT_TRUE(run->Contents() == Expected());
    shards.push_back(workers.back().given);
    rewound += std::stoi(run->Query("SELECT count(*) FROM rewinds")[0]);
    removed += std::stoi(run->Query("SELECT coalesce(sum(stages_removed), 0) FROM rewinds")[0]);
  }
  std::sort(shards.begin(), shards.end());
  const double mean = std::accumulate(shards.begin(), shards.end(), 0.0) / static_cast<double>(shards.size());
  std::printf("found after %.1f shards on average, %d at worst; %d rewinds, %d stages taken back\n", mean,
              shards.back(), rewound, removed);
  EXPECT_LT(mean, 10);
}

TEST_F(FleetTest, HealthyWorkersGiveNoFalseAlarm) {
  int audits = 0, shards = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto run = Start(absl::StrCat("healthy", seed));
    std::vector<FleetWorker> workers = Healthy(4);
    ASSERT_TRUE(RunFleet(*run, workers, seed).ok());
    ASSERT_THAT(Quarantined(*run), IsEmpty());
    ASSERT_TRUE(run->Contents() == Expected());
    ASSERT_THAT(run->Query("SELECT count(*) FROM rewinds"), ElementsAre("0"));
    audits += std::stoi(run->Query("SELECT count(*) FROM audits")[0]);
    shards += std::stoi(run->Query("SELECT count(*) FROM shards")[0]);
  }
  std::printf("%d of %d shards were computed twice\n", audits, shards);
  EXPECT_LT(audits, shards / 2);
}

TEST_F(FleetTest, HealthyMixturesOfDevicesGiveNoFalseAlarm) {
  // The GPU flips one judgement in a hundred, always the same ones, and words most answers otherwise.
  const WorkerEvaluator gpu = [](const ShardWork& work, int) {
    ShardResult result = Evaluate(work);
    for (SampleResult& sample : result.samples) {
      RandomStream rounding(
          RandomKey({HashText("rounding"), HashText(RecipeDigest(work.recipe)), static_cast<uint64_t>(sample.sample)}));
      if (rounding.NextUniform() < 0.01) sample.correct = !sample.correct;
      sample.text += " so";
    }
    return result;
  };
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const auto run = Start(absl::StrCat("mixed", seed));
    std::vector<FleetWorker> workers = Healthy(seed % 2 == 0 ? 2 : 1);
    workers.push_back({.name = "gpu 0", .device = "cuda:0", .evaluate = gpu});
    if (seed % 3 == 0) workers.push_back({.name = "gpu 1", .device = "cuda:1", .evaluate = gpu});
    ASSERT_TRUE(RunFleet(*run, workers, seed).ok());
    ASSERT_EQ(run->experiment().state(), ExperimentState::kDone);
    ASSERT_THAT(Quarantined(*run), IsEmpty());
    ASSERT_THAT(run->Query("SELECT count(*) FROM audits WHERE state IN ('due', 'undecided')"), ElementsAre("0"));
  }
}

TEST_F(FleetTest, ARunGoesBackBehindAWorkerThatWentBadAfterItWasTrusted) {
  constexpr int kLong = 8;  // generations
  int found = 0, removed = 0, kept = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    const auto run = Start(absl::StrCat("turned", seed), kLong);
    std::vector<FleetWorker> workers = Healthy(2);
    workers.push_back({.name = "turns", .evaluate = SilentlyWrong(0.04, seed, 14)});
    ASSERT_TRUE(RunFleet(*run, workers, seed).ok());
    if (Quarantined(*run).empty()) continue;  // it was not audited again before the end
    ++found;
    ASSERT_THAT(Quarantined(*run), ElementsAre("turns"));
    ASSERT_TRUE(run->Contents() == Expected(kLong));
    removed += std::stoi(run->Query("SELECT coalesce(sum(stages_removed), 0) FROM rewinds")[0]);
    // A result that was kept of a removed stage has an attempt of an epoch before the rewind.
    kept +=
        std::stoi(run->Query("SELECT count(*) FROM shards s JOIN trials t USING (trial) WHERE t.stage > (SELECT "
                             "min(stage) FROM rewinds) AND s.attempt < 2000")[0]);
    ASSERT_THAT(run->Query("SELECT count(*) FROM kept_shards"), ElementsAre("0"));
  }
  std::printf("%d found, %d stages taken back, %d shards of them used again\n", found, removed, kept);
  EXPECT_GT(found, 10);
  EXPECT_GT(removed, 0) << "no run had to go back over a stage";
  EXPECT_GT(kept, 0) << "nothing of the stages taken back was used again";
}

TEST_F(FleetTest, DeathAtAnyCommitPointLosesNothingOfAuditsAndRewinds) {
  constexpr uint64_t kSeed = 3;
  constexpr int kShort = 2;  // generations
  ExperimentSetup setup = FleetSetup();
  setup.config.mutable_phases(0)->mutable_budget()->set_generations(kShort);
  const auto fleet = [&] {
    std::vector<FleetWorker> workers = Healthy(3);
    workers.push_back({.name = "sick", .evaluate = SilentlyWrong(0.1, kSeed)});
    return workers;
  };
  int points = 0;
  {
    SimulatedRun run(folder_, "whole.db");
    run.setup = setup;
    run.commit_hook = [&](std::string_view) {
      ++points;
      return absl::OkStatus();
    };
    ASSERT_TRUE(run.Start().ok());
    std::vector<FleetWorker> workers = fleet();
    ASSERT_TRUE(RunFleet(run, workers, kSeed).ok());
    ASSERT_THAT(Quarantined(run), ElementsAre("sick"));
  }
  std::map<std::string, int> died;
  for (int death = 0; death < points; ++death) {
    SimulatedRun run(folder_, absl::StrCat("death", death, ".db"));
    run.setup = setup;
    int point = 0;
    bool dead = false;
    run.commit_hook = [&](std::string_view name) {
      if (point++ == death) {
        dead = true;
        ++died[std::string(name)];
      }
      return dead ? absl::AbortedError("killed here") : absl::OkStatus();  // and nothing is written after it
    };
    std::vector<FleetWorker> workers = fleet();
    if (run.Start().ok()) (void)RunFleet(run, workers, kSeed);
    run.commit_hook = nullptr;
    run.Kill();
    ASSERT_TRUE(run.Start().ok()) << "point " << death;
    ASSERT_TRUE(RunFleet(run, workers, kSeed + 1).ok()) << "point " << death;
    ASSERT_THAT(Quarantined(run), ElementsAre("sick")) << "point " << death;
    ASSERT_TRUE(run.Contents() == Expected(kShort)) << "killed at point " << death;
    ASSERT_THAT(UnauditedOfBest(run), IsEmpty()) << "killed at point " << death;
  }
  for (const char* kind : {"before audit", "after audit", "before rewind", "after rewind"}) {
    EXPECT_GT(died[kind], 0) << kind;
  }
}

TEST_F(FleetTest, AQuarantinedWorkerGetsNoWorkAlsoAfterARestartAndIsToldWhy) {
  const auto run = Start("restart");
  EXPECT_EQ(run->experiment().WhyBarred(run->Join("sick")), "");
  ASSERT_TRUE(run->store().Rewind({.trust = {{"sick", 0, true, "its answers differ"}}}, 1).ok());
  ASSERT_TRUE(run->Start().ok());
  const std::string session = run->Join("sick");
  EXPECT_THAT(run->experiment().WhyBarred(session),
              ::testing::AllOf(HasSubstr("quarantined"), HasSubstr("its answers differ"), HasSubstr("--name")));
  EXPECT_EQ(run->experiment().Lease(session)->has_value(), false);
}

TEST_F(FleetTest, TrustIsStoredAndOutlivesARestart) {
  const auto run = Start("trust");
  std::vector<FleetWorker> workers = Healthy(2);
  ASSERT_TRUE(RunFleet(*run, workers, 1).ok());
  for (const std::string& agreements : run->Query("SELECT agreements FROM trust ORDER BY name")) {
    EXPECT_GE(std::stoi(agreements), TrustBook::kTrustedAfter);
  }
  EXPECT_THAT(run->Query("SELECT count(*) FROM trust"), ElementsAre("2"));
}

TEST_F(FleetTest, TwoWorkersThatDifferAreBothReportedAndTheRunGoesOn) {
  const auto run = Start("two");
  std::vector<FleetWorker> workers = Healthy(1);
  workers.push_back({.name = "other", .evaluate = SilentlyWrong(0.02, 1)});
  ASSERT_TRUE(RunFleet(*run, workers, 1).ok());
  EXPECT_EQ(run->experiment().state(), ExperimentState::kDone);
  EXPECT_THAT(Quarantined(*run), IsEmpty()) << "nobody could decide who is wrong";
  EXPECT_NE(run->Query("SELECT count(*) FROM audits WHERE state = 'undecided'")[0], "0");
  EXPECT_THAT(run->Query("SELECT DISTINCT reason LIKE '%healthy 0%' AND reason LIKE '%other%' FROM rewinds"),
              ElementsAre("1"));
}

TEST_F(FleetTest, AThirdWorkerThatJoinsSettlesTheDispute) {
  const auto run = Start("third");
  const std::string a = run->Join("a"), b = run->Join("b");
  ASSERT_FALSE(run->experiment().Lease(b)->value().samples.empty());  // both are there
  const ShardWork first = run->experiment().Lease(a)->value();
  ASSERT_TRUE(*run->experiment().Report(a, SilentlyWrong(0.5, 1)(first, 0)));
  // "b" works off what waits, then the audit.
  while (true) {
    const std::optional<ShardWork> work = *run->experiment().Lease(b);
    ASSERT_TRUE(work.has_value());
    ASSERT_TRUE(*run->experiment().Report(b, Evaluate(*work)));
    if (work->key.trial == first.key.trial && work->key.shard == first.key.shard) break;
  }
  EXPECT_THAT(Quarantined(*run), IsEmpty());
  const std::string c = run->Join("c");
  while (Quarantined(*run).empty()) {
    const std::optional<ShardWork> work = *run->experiment().Lease(c);
    ASSERT_TRUE(work.has_value());
    ASSERT_TRUE(*run->experiment().Report(c, Evaluate(*work)));
  }
  EXPECT_THAT(Quarantined(*run), ElementsAre("a"));
  EXPECT_EQ(*run->experiment().Report(a, Evaluate(first)), false) << "nothing of it counts any more";
  std::vector<FleetWorker> workers = Healthy(2);
  ASSERT_TRUE(RunFleet(*run, workers, 1).ok());
  EXPECT_TRUE(run->Contents() == Expected());
}

TEST_F(FleetTest, AnAuditThatNobodyIsThereToDoIsGivenUpAfterALeaseTime) {
  const auto run = Start("waived");
  const std::string a = run->Join("a"), b = run->Join("b");
  ASSERT_TRUE(run->experiment().Lease(b)->has_value());
  const ShardWork work = run->experiment().Lease(a)->value();
  ASSERT_TRUE(*run->experiment().Report(a, Evaluate(work)));
  ASSERT_THAT(run->Query("SELECT state FROM audits"), ElementsAre("due"));
  ASSERT_TRUE(run->experiment().WorkerLost(b).ok());
  ASSERT_TRUE(run->experiment().Tick().ok());
  EXPECT_THAT(run->Query("SELECT state FROM audits"), ElementsAre("due")) << "it may come back";
  run->clock.Advance(seconds(10));
  ASSERT_TRUE(run->experiment().Lease(a).ok());
  ASSERT_TRUE(run->experiment().Tick().ok());
  EXPECT_THAT(run->Query("SELECT state FROM audits"), ElementsAre("waived"));
}

TEST_F(FleetTest, ANewBestIsComputedByTwoWorkers) {
  const auto run = Start("best");
  std::vector<FleetWorker> workers = Healthy(4);
  ASSERT_TRUE(RunFleet(*run, workers, 5).ok());
  EXPECT_THAT(UnauditedOfBest(*run), IsEmpty());
}

TEST_F(FleetTest, NothingIsAuditedWhereTheConfigSaysNever) {
  SimulatedRun run(folder_, "never.db");
  run.setup = FleetSetup();
  run.setup.config.mutable_scheduling()->set_replication(v1::Scheduling::NEVER);
  ASSERT_TRUE(run.Start().ok());
  std::vector<FleetWorker> workers = Healthy(3);
  ASSERT_TRUE(RunFleet(run, workers, 1).ok());
  EXPECT_THAT(run.Query("SELECT count(*) FROM audits"), ElementsAre("0"));
}

TEST_F(FleetTest, LocalWorkersAmongThemselvesAreNotAuditedUnlessToldSo) {
  for (const bool always : {false, true}) {
    SimulatedRun run(folder_, absl::StrCat("local", always, ".db"));
    run.setup = FleetSetup();
    if (always) run.setup.config.mutable_scheduling()->set_replication(v1::Scheduling::ALWAYS);
    run.setup.local_workers = {"healthy 0", "healthy 1"};
    ASSERT_TRUE(run.Start().ok());
    std::vector<FleetWorker> workers = Healthy(2);
    ASSERT_TRUE(RunFleet(run, workers, 1).ok());
    EXPECT_EQ(run.Query("SELECT count(*) > 0 FROM audits")[0], always ? "1" : "0");
    std::printf("%s of %s shards were computed twice\n", run.Query("SELECT count(*) FROM audits")[0].c_str(),
                run.Query("SELECT count(*) FROM shards")[0].c_str());
  }
}

TEST_F(FleetTest, LocalWorkersAreAuditedWhereOneFromElsewhereIsThere) {
  SimulatedRun run(folder_, "mixed.db");
  run.setup = FleetSetup();
  run.setup.local_workers = {"healthy 0", "healthy 1"};
  ASSERT_TRUE(run.Start().ok());
  std::vector<FleetWorker> workers = Healthy(3);
  ASSERT_TRUE(RunFleet(run, workers, 1).ok());
  EXPECT_THAT(run.Query("SELECT count(*) > 0 FROM audits"), ElementsAre("1"));
}

TEST_F(FleetTest, ALoneWorkerIsNotAudited) {
  const auto run = Start("lone");
  std::vector<FleetWorker> workers = Healthy(1);
  ASSERT_TRUE(RunFleet(*run, workers, 1).ok());
  EXPECT_THAT(run->Query("SELECT count(*) FROM audits"), ElementsAre("0"));
}

}  // namespace
}  // namespace heterosis
