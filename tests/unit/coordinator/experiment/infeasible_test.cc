// SPDX-License-Identifier: Apache-2.0
// Candidates that cannot be evaluated: paths beyond their limits, and what fits into no worker's memory.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using InfeasibleTest = ExperimentTest;

TEST_F(InfeasibleTest, InfeasiblePathsAreCountedButNeverHandedOut) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  v1::Path& path = *run.setup.config.mutable_phases(1)->mutable_path();
  path.set_include_rest(0);  // every second slot: often too long
  path.set_max_hops(6);
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd(1, 0,
                           [](const ShardWork& work) {
                             EXPECT_LE(work.recipe.path.size(), 6u);
                             return Evaluate(work);
                           })
                  .ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  const std::vector<std::string> why =
      run.Query("SELECT DISTINCT failure FROM trials WHERE state = 'infeasible' ORDER BY 1");
  ASSERT_FALSE(why.empty());
  EXPECT_THAT(why[0], HasSubstr("hops, at most 6 are allowed"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM shards s JOIN trials t USING (trial) WHERE t.state = 'infeasible'"),
              ElementsAre("0"));
}

TEST_F(InfeasibleTest, PathsThatFitOnNoWorkerAreInfeasibleRankLastAndTheRunGoesOn) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  run.setup.config.mutable_phases(1)->mutable_path()->set_include_rest(0);  // every second slot: often long
  ASSERT_TRUE(run.Start().ok());
  const std::vector<std::string> workers = {run.Join("one"), run.Join("two")};
  const auto fits = [](const ShardWork& work) { return work.recipe.path.size() <= 6; };
  std::map<int64_t, std::set<std::string>> refused;
  for (size_t i = 0; !run.experiment().finished(); ++i) {
    const std::string& worker = workers[i % 2];
    const auto work = run.experiment().Lease(worker);
    ASSERT_TRUE(work.ok()) << work.status();
    if (!work->has_value()) continue;  // the other one is to try it
    if (fits(**work)) {
      ASSERT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
      continue;
    }
    EXPECT_TRUE(refused[(*work)->key.trial].insert(worker).second) << "asked twice of one worker";
    const ShardFailure failure{(*work)->key, FailureClass::kMemory, "one answer needs 9 MiB and 6 MiB are left"};
    ASSERT_EQ(*run.experiment().ReportFailure(worker, failure), true);
  }
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone) << run.experiment().error();
  ASSERT_FALSE(refused.empty());
  for (const auto& [trial, by] : refused) EXPECT_EQ(by.size(), 2u);
  EXPECT_THAT(run.Query("SELECT count(*) FROM trials WHERE state = 'infeasible' AND shards > 0"),
              ElementsAre(std::to_string(refused.size())));
  EXPECT_THAT(run.Query("SELECT DISTINCT failure FROM trials WHERE state = 'infeasible' AND shards > 0"),
              ElementsAre("memory: one answer needs 9 MiB and 6 MiB are left"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM trials WHERE state = 'failed'"), ElementsAre("0"));
  EXPECT_EQ(run.Query("SELECT sum(infeasible) FROM generation_progress"),
            run.Query("SELECT count(*) FROM trials WHERE state = 'infeasible' AND purpose = 'search'"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM genomes g JOIN trials t USING (genome) WHERE t.state = 'infeasible' AND "
                        "(g.fitness IS NOT NULL OR g.chosen)"),
              ElementsAre("0"));
}

TEST_F(InfeasibleTest, ARestartTakesUpWhatFittedNowhere) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string small = run.Join("small");
  while (!run.experiment().finished()) {
    const auto work = run.experiment().Lease(small);
    ASSERT_TRUE(work.ok() && work->has_value());
    ASSERT_EQ(*run.experiment().ReportFailure(small, {(*work)->key, FailureClass::kMemory, "too large"}), true);
  }
  EXPECT_EQ(run.experiment().state(), ExperimentState::kFailed);
  EXPECT_THAT(run.experiment().error(), HasSubstr("memory: too large"));
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
}

TEST_F(InfeasibleTest, AnInfeasibleStartIsNotHandedOutForTheTestEither) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  v1::Path& path = *run.setup.config.mutable_phases(1)->mutable_path();
  path.set_include_first(0.1);  // the start is A's own path of 4 hops, but many candidates leave a layer out
  path.set_include_rest(-2);
  path.set_max_hops(3);
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd(1, 0,
                           [](const ShardWork& work) {
                             EXPECT_LE(work.recipe.path.size(), 3u);
                             return Evaluate(work);
                           })
                  .ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone) << run.experiment().error();
  EXPECT_THAT(run.Query("SELECT t.state || ' ' || t.shards || ' ' || t.purpose FROM trials t JOIN genomes g USING "
                        "(genome) WHERE g.phase = 1 AND g.label = 'start' ORDER BY t.trial"),
              ElementsAre("infeasible 0 baseline", "infeasible 0 rescore", "infeasible 0 test"));
}

TEST_F(InfeasibleTest, InfeasiblePathsCannotWin) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  run.setup.config.mutable_phases(1)->mutable_path()->set_max_hops(1);  // shorter than any path can be
  run.setup.config.mutable_phases(1)->mutable_selection()->set_each_generation(false);
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kFailed);
  EXPECT_THAT(run.experiment().error(), HasSubstr("no candidate of phase \"dfs\" could be scored"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM genomes WHERE phase = 1 AND chosen = 1"), ElementsAre("0"));
}

}  // namespace
}  // namespace heterosis
