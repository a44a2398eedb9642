// SPDX-License-Identifier: Apache-2.0
// The state machine of a run: its stages, failures, silent workers, what is sealed and what is not evaluated twice.
#include "coordinator/experiment/experiment.h"

#include <chrono>

#include "common/base/json.h"
#include "common/base/status.h"
#include "gmock/gmock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ExperimentTest, RunsParentsGenerationsSelectionAndFinalTest) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  EXPECT_THAT(run.Query("SELECT kind || coalesce(' ' || generation, '') || ' ' || state FROM stages ORDER BY stage"),
              ElementsAre("parents done", "generation 0 done", "generation 1 done", "generation 2 done",
                          "selection done", "final done"));
  EXPECT_THAT(run.Query("SELECT label FROM genomes WHERE origin = 'parent' ORDER BY genome"),
              ElementsAre("ja", "math"));
  EXPECT_THAT(run.Query("SELECT label FROM genomes WHERE origin = 'injected' ORDER BY genome"),
              ElementsAre("uniform", "ja", "math"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM genomes WHERE chosen = 1"), ElementsAre("1"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM trials WHERE state != 'done'"), ElementsAre("0"));
}

TEST_F(ExperimentTest, WinnerIsTheBestOfTheRescoredOnes) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  // The best two and the mean of the distribution, all on validation.
  EXPECT_THAT(run.Query("SELECT count(*) || ' ' || min(total) FROM trials WHERE purpose = 'rescore' AND stage = 4"),
              ElementsAre("3 6"));
  EXPECT_EQ(run.Query("SELECT max(score) FROM trials WHERE stage = 4"),
            run.Query("SELECT score FROM trials t JOIN genomes g USING (genome) WHERE t.stage = 4 AND g.chosen = 1"));
}

TEST_F(ExperimentTest, TestSplitIsOpenedOnlyAtTheEndAndOnlyForReferencesAndWinner) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_THAT(run.Query("SELECT DISTINCT s.kind FROM trials t JOIN stages s USING (stage) WHERE t.split = 'test'"),
              ElementsAre("final"));
  EXPECT_THAT(run.Query("SELECT DISTINCT CASE WHEN g.chosen THEN 'winner' WHEN g.origin = 'parent' THEN 'parent' ELSE "
                        "g.label END AS who FROM trials t JOIN genomes g USING (genome) WHERE t.split = 'test' "
                        "ORDER BY who"),
              ElementsAre("parent", "start", "uniform", "winner"));
}

TEST_F(ExperimentTest, WithoutValidationTheWinnerIsChosenOnAllOfSearch) {
  SimulatedRun run(folder_, "run.db");
  run.setup.validation.clear();
  run.setup.config.mutable_data()->clear_validation();
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_THAT(run.Query("SELECT DISTINCT split || ' ' || total FROM trials WHERE purpose = 'rescore'"),
              ElementsAre("search 8"));
}

TEST_F(ExperimentTest, EveryPhaseHasItsWinner) {
  SimulatedRun run(folder_, "run.db");
  v1::Phase& second = *run.setup.config.add_phases();
  second = run.setup.config.phases(0);
  second.set_name("random");
  second.mutable_optimizer()->set_kind(v1::Optimizer::RANDOM);
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_THAT(run.Query("SELECT phase FROM genomes WHERE chosen = 1 ORDER BY phase"), ElementsAre("0", "1"));
  EXPECT_THAT(run.Query("SELECT count(DISTINCT g.genome) FROM genomes g JOIN trials t USING (genome) WHERE g.chosen = "
                        "1 AND t.split = 'test' AND t.state = 'done'"),
              ElementsAre("2"));
}

TEST_F(ExperimentTest, DataFlowPhaseBuildsOnTheWinnerOfTheFirstPhase) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  const std::string winner = run.Query("SELECT recipe FROM genomes WHERE phase = 0 AND chosen = 1")[0];
  for (const std::string& recipe : run.Query("SELECT recipe FROM genomes WHERE phase = 1")) {
    const Recipe path = RecipeFromJson(ParseJson(recipe).value()).value();
    ASSERT_EQ(path.parts.size(), 2u);
    EXPECT_EQ(path.parts[0], RecipeFromJson(ParseJson(winner).value()).value());
    EXPECT_EQ(path.parts[1], SingleModelRecipe("math", "math", DType::kBFloat16));
  }
  EXPECT_THAT(run.Query("SELECT phase FROM genomes WHERE chosen = 1 ORDER BY phase"), ElementsAre("0", "1"));
}

TEST_F(ExperimentTest, DataFlowPhaseValidatesEachGenerationsBestAndMean) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  // After generations 0 and 1 beside the next generation, after generation 2 in the selection.
  EXPECT_THAT(
      run.Query("SELECT s.kind || ' ' || coalesce(s.generation, '-') || ' ' || count(*) FROM trials t JOIN stages "
                "s USING (stage) JOIN genomes g USING (genome) WHERE s.phase = 1 AND t.purpose = 'rescore' AND "
                "g.origin = 'mean' GROUP BY s.stage ORDER BY s.stage"),
      ElementsAre("generation 1 1", "generation 2 1", "selection - 1"));
  EXPECT_EQ(
      run.Query("SELECT max(t.score) FROM trials t JOIN genomes g USING (genome) WHERE g.phase = 1 AND t.purpose = "
                "'rescore' AND t.stage < (SELECT max(stage) FROM stages)"),
      run.Query("SELECT max(t.score) FROM trials t JOIN genomes g USING (genome) WHERE g.phase = 1 AND g.chosen AND "
                "t.split = 'validation'"));
}

TEST_F(ExperimentTest, ReplayingTheGenerationsGivesTheOptimizersState) {
  SimulatedRun run(folder_, "run.db");
  run.setup = TwoPhaseSetup();
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  const PhasePlan plan = PhasePlan::Create(run.setup.config, 1, run.setup.model_layers).value();
  const auto optimizer = plan.NewOptimizer().value();
  for (int generation = 0; generation < 2; ++generation) {
    std::vector<Evaluation> evaluations;
    for (const std::string& score : run.Query(absl::StrCat(
             "SELECT coalesce(t.score, '') FROM trials t JOIN genomes g USING (genome) WHERE g.phase = 1 AND "
             "g.generation = ",
             generation, " AND t.purpose = 'search' ORDER BY t.trial"))) {
      evaluations.push_back(score.empty() ? Evaluation{0, false} : Evaluation{std::stod(score)});
    }
    ASSERT_TRUE(optimizer->Tell(evaluations).ok());
  }
  EXPECT_EQ(run.store().Snapshot(1, 2).value(), optimizer->Snapshot());
}

TEST_F(ExperimentTest, EqualRecipesOnEqualSamplesAreEvaluatedOnce) {
  SimulatedRun run(folder_, "run.db");
  run.setup.config.mutable_phases(0)->mutable_samples()->set_per_generation(0);  // all of search, as for the parents
  ASSERT_TRUE(run.Start().ok());
  int evaluated = 0;
  ASSERT_TRUE(run.RunToEnd(1, 0,
                           [&](const ShardWork& work) {
                             ++evaluated;
                             return Evaluate(work);
                           })
                  .ok());
  // x0 of task arithmetic with weights in [0, 2] is the centre, which no candidate repeats; the uniform merge is both a
  // candidate and a baseline of the final stage, on other samples.
  EXPECT_THAT(run.Query("SELECT count(*) FROM shards"), ElementsAre(std::to_string(evaluated)));
  EXPECT_THAT(run.Query("SELECT count(*) FROM (SELECT g.recipe_digest, t.sample_set, count(*) AS n FROM trials t JOIN "
                        "genomes g USING (genome) WHERE t.same_as IS NULL GROUP BY 1, 2 HAVING n > 1)"),
              ElementsAre("0"));
}

TEST_F(ExperimentTest, FailedCandidateRanksLastAndTheRunGoesOn) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  int64_t victim = 0;
  while (!run.experiment().finished()) {
    const auto work = run.experiment().Lease(worker);
    ASSERT_TRUE(work.ok() && work->has_value());
    if (victim == 0 && run.experiment().progress().stage == StageKind::kGeneration) victim = (*work)->key.trial;
    if ((*work)->key.trial == victim) {
      ASSERT_EQ(*run.experiment().ReportFailure(worker, {(*work)->key, FailureClass::kCrash, "out of luck"}), true);
    } else {
      ASSERT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
    }
  }
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  EXPECT_THAT(run.Query("SELECT trial || ' ' || failure FROM trials WHERE state = 'failed'"),
              ElementsAre(std::to_string(victim) + " crash: out of luck"));
  EXPECT_THAT(run.Query("SELECT count(*) FROM genomes g JOIN trials t USING (genome) WHERE t.state = 'failed' AND "
                        "g.fitness IS NOT NULL"),
              ElementsAre("0"));
}

TEST_F(ExperimentTest, AFailureCountsOnlyFromTheWorkerThatHoldsTheShard) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string holder = run.Join("holder"), other = run.Join("other");
  const ShardKey held = run.experiment().Lease(holder)->value().key;
  EXPECT_EQ(*run.experiment().ReportFailure(other, {held, FailureClass::kCrash, "not mine"}), false);
  ShardKey late = held;
  --late.attempt;
  EXPECT_EQ(*run.experiment().ReportFailure(holder, {late, FailureClass::kCrash, "of an earlier lease"}), false);
  EXPECT_THAT(run.Query("SELECT count(*) FROM failures"), ElementsAre("0"));
  EXPECT_EQ(*run.experiment().ReportFailure(holder, {held, FailureClass::kCrash, "mine"}), true);
  EXPECT_THAT(run.Query("SELECT message FROM failures"), ElementsAre("mine"));
}

TEST_F(ExperimentTest, StageWithoutAnyResultEndsTheRunAndARestartTakesItUp) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  std::string worker = run.Join("broken");
  for (int i = 0; i < 100 && !run.experiment().finished(); ++i) {
    const auto work = run.experiment().Lease(worker);
    ASSERT_TRUE(work.ok() && work->has_value());
    ASSERT_TRUE(run.experiment().ReportFailure(worker, {(*work)->key, FailureClass::kCrash, "no memory"}).ok());
  }
  EXPECT_EQ(run.experiment().state(), ExperimentState::kFailed);
  EXPECT_THAT(run.experiment().error(), HasSubstr("no memory"));
  ASSERT_TRUE(run.Start().ok());
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  const std::string mended = run.Contents();
  SimulatedRun undisturbed(folder_, "undisturbed.db");
  ASSERT_TRUE(undisturbed.Start().ok());
  ASSERT_TRUE(undisturbed.RunToEnd().ok());
  EXPECT_EQ(mended, undisturbed.Contents());
}

TEST_F(ExperimentTest, AFailedSealedTestFailsTheRunAndARestartTriesOnlyThat) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  while (!run.experiment().finished()) {
    const auto work = run.experiment().Lease(worker);
    ASSERT_TRUE(work.ok() && work->has_value());
    const bool is_winner = (*work)->split == Split::kTest && (*work)->recipe.sources.size() > 1;
    if (is_winner) {
      ASSERT_EQ(*run.experiment().ReportFailure(worker, {(*work)->key, FailureClass::kCrash, "no memory"}), true);
    } else {
      ASSERT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
    }
  }
  EXPECT_EQ(run.experiment().state(), ExperimentState::kFailed);
  EXPECT_THAT(run.experiment().error(), AllOf(HasSubstr("the sealed test of "), HasSubstr("no memory")));
  const auto tested = run.Query("SELECT count(*) FROM trials WHERE purpose = 'test' AND state = 'failed'");
  EXPECT_THAT(tested, ElementsAre("3"));  // uniform, start, winner
  ASSERT_TRUE(run.Start().ok());
  int evaluated = 0;
  ASSERT_TRUE(run.RunToEnd(1, 0,
                           [&](const ShardWork& work) {
                             ++evaluated;
                             EXPECT_EQ(work.split, Split::kTest);
                             return Evaluate(work);
                           })
                  .ok());
  EXPECT_EQ(evaluated, 3 * 3);  // six problems in shards of two
  EXPECT_EQ(run.experiment().state(), ExperimentState::kDone);
  SimulatedRun undisturbed(folder_, "undisturbed.db");
  ASSERT_TRUE(undisturbed.Start().ok());
  ASSERT_TRUE(undisturbed.RunToEnd().ok());
  EXPECT_EQ(run.Contents(), undisturbed.Contents());
}

TEST_F(ExperimentTest, SilentWorkerLosesItsShardAndItsLateResultStillCounts) {
  SimulatedRun run(folder_, "run.db");
  run.setup.config.mutable_scheduling()->set_replication(v1::Scheduling::NEVER);  // a second answer is of no use
  ASSERT_TRUE(run.Start().ok());
  const std::string silent = run.Join("silent"), other = run.Join("other");
  const auto first = run.experiment().Lease(silent);
  ASSERT_TRUE(first.ok() && first->has_value());
  run.clock.Advance(seconds(11));
  ASSERT_TRUE(run.experiment().Tick().ok());
  const auto again = run.experiment().Lease(other);
  ASSERT_TRUE(again.ok() && again->has_value());
  EXPECT_EQ((*again)->key.shard, (*first)->key.shard);
  EXPECT_EQ(*run.experiment().Report(silent, Evaluate(**first)), true);
  EXPECT_EQ(*run.experiment().Report(other, Evaluate(**again)), false) << "the shard has been counted";
  EXPECT_THAT(run.Query("SELECT class FROM failures"), ElementsAre("infra"));
}

TEST_F(ExperimentTest, AnIdleWorkerGetsACopyOfAStragglersShardAndTheFirstAnswerCounts) {
  SimulatedRun run(folder_, "run.db");
  run.setup.config.mutable_scheduling()->set_replication(v1::Scheduling::NEVER);  // a second answer is of no use
  ASSERT_TRUE(run.Start().ok());
  const std::string slow = run.Join("slow"), quick = run.Join("quick");
  const auto held = run.experiment().Lease(slow);
  ASSERT_TRUE(held.ok() && held->has_value());
  for (int i = 0; i < 7; ++i) {  // the other shards of the parents' stage
    const auto work = run.experiment().Lease(quick);
    ASSERT_TRUE(work.ok() && work->has_value());
    run.clock.Advance(seconds(1));
    ASSERT_EQ(*run.experiment().Report(quick, Evaluate(**work)), true);
  }
  const auto copy = run.experiment().Lease(quick);
  ASSERT_TRUE(copy.ok() && copy->has_value());
  EXPECT_EQ((*copy)->key.shard, (*held)->key.shard);
  EXPECT_GT((*copy)->key.attempt, (*held)->key.attempt);
  EXPECT_THAT(run.experiment().Heartbeat(slow, {(*held)->key}), IsEmpty());
  EXPECT_EQ(*run.experiment().Report(quick, Evaluate(**copy)), true);
  EXPECT_EQ(*run.experiment().Report(slow, Evaluate(**held)), false) << "counted twice";
  ASSERT_TRUE(run.RunToEnd().ok());
  SimulatedRun undisturbed(folder_, "undisturbed.db");
  undisturbed.setup = run.setup;
  ASSERT_TRUE(undisturbed.Start().ok());
  ASSERT_TRUE(undisturbed.RunToEnd().ok());
  EXPECT_EQ(run.Contents(), undisturbed.Contents());
}

TEST_F(ExperimentTest, HeartbeatsKeepALease) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("slow");
  const auto work = run.experiment().Lease(worker);
  for (int i = 0; i < 5; ++i) {
    run.clock.Advance(seconds(8));
    EXPECT_THAT(run.experiment().Heartbeat(worker, {(*work)->key}), IsEmpty());
    ASSERT_TRUE(run.experiment().Tick().ok());
  }
  EXPECT_THAT(run.Query("SELECT count(*) FROM failures"), ElementsAre("0"));
}

TEST_F(ExperimentTest, WorkerThatLeavesGivesItsShardBackAtOnce) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string leaving = run.Join("leaving"), other = run.Join("other");
  const auto held = run.experiment().Lease(leaving);
  ASSERT_TRUE(run.experiment().WorkerLost(leaving).ok());
  const auto next = run.experiment().Lease(other);
  EXPECT_EQ((*next)->key.shard, (*held)->key.shard);
  EXPECT_GT((*next)->key.attempt, (*held)->key.attempt);
}

TEST_F(ExperimentTest, ResultsOfOtherSamplesAreRefused) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  const auto work = run.experiment().Lease(worker);
  ShardResult wrong = Evaluate(**work);
  wrong.samples[0].sample += 1;
  EXPECT_TRUE(absl::IsInvalidArgument(run.experiment().Report(worker, wrong).status()));
  wrong.samples.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(run.experiment().Report(worker, wrong).status()));
  EXPECT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
}

TEST_F(ExperimentTest, ResultThatCouldNotBeWrittenMayBeReportedAgain) {
  SimulatedRun run(folder_, "run.db");
  bool full = false;
  run.commit_hook = [&](std::string_view point) {
    return full && point == "before shard" ? absl::ResourceExhaustedError("disk full") : absl::OkStatus();
  };
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  const auto work = run.experiment().Lease(worker);
  full = true;
  EXPECT_FALSE(run.experiment().Report(worker, Evaluate(**work)).ok());
  full = false;
  EXPECT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
}

TEST_F(ExperimentTest, StageThatCouldNotBeWrittenIsTriedAgain) {
  SimulatedRun run(folder_, "run.db");
  int refusals = 3;
  run.commit_hook = [&](std::string_view point) {
    if (point != "before stage" || run.Query("SELECT count(*) FROM stages")[0] == "0" || refusals == 0) {
      return absl::OkStatus();
    }
    --refusals;
    return absl::ResourceExhaustedError("disk full");
  };
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  int unwritten = 0;
  while (!run.experiment().finished()) {
    const auto work = run.experiment().Lease(worker);
    if (!work.ok()) {
      ++unwritten;
      continue;
    }
    ASSERT_TRUE(run.experiment().Report(worker, Evaluate(**work)).ok());
  }
  EXPECT_GT(unwritten, 0);
  SimulatedRun undisturbed(folder_, "undisturbed.db");
  ASSERT_TRUE(undisturbed.Start().ok());
  ASSERT_TRUE(undisturbed.RunToEnd().ok());
  EXPECT_EQ(run.Contents(), undisturbed.Contents());
}

TEST_F(ExperimentTest, StageThatWasWrittenAlthoughItsCommitFailedIsNotBegunTwice) {
  SimulatedRun run(folder_, "run.db");
  bool started = false;
  int failures = 0;
  run.commit_hook = [&](std::string_view point) {
    if (point != "after stage" || !started) return absl::OkStatus();
    ++failures;
    return absl::UnavailableError("the disk went away just then");
  };
  ASSERT_TRUE(run.Start().ok());
  started = true;
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_EQ(failures, 5);  // three generations, selection, final
  SimulatedRun undisturbed(folder_, "undisturbed.db");
  ASSERT_TRUE(undisturbed.Start().ok());
  ASSERT_TRUE(undisturbed.RunToEnd().ok());
  EXPECT_EQ(run.Contents(), undisturbed.Contents());
}

TEST_F(ExperimentTest, ProgressCountsTrialsAndSamples) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  EXPECT_EQ(run.experiment().progress().stage, StageKind::kParents);
  EXPECT_EQ(run.experiment().progress().trials_total, 2);
  const std::string worker = run.Join("one");
  for (int i = 0; i < 4; ++i) {
    const auto work = run.experiment().Lease(worker);
    run.clock.Advance(seconds(1));
    ASSERT_TRUE(run.experiment().Report(worker, Evaluate(**work)).ok());
  }
  const Progress progress = run.experiment().progress();
  EXPECT_EQ(progress.trials_done, 1);
  EXPECT_EQ(progress.samples_done, 8);
  EXPECT_DOUBLE_EQ(progress.samples_per_second, 2);
  EXPECT_EQ(progress.workers, 1);
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_LE(run.experiment().progress().samples_done, run.experiment().progress().samples_total);
}

TEST_F(ExperimentTest, AnOverEstimateOfSamplesIsNeverAnUnderEstimate) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const int64_t planned = run.experiment().progress().samples_total;
  ASSERT_TRUE(run.RunToEnd().ok());
  EXPECT_LE(run.experiment().progress().samples_done, planned);
}

TEST_F(ExperimentTest, TheEstimateOfSamplesFallsToWhatIsReallyToBeScored) {
  SimulatedRun run(folder_, "run.db");
  ASSERT_TRUE(run.Start().ok());
  const std::string worker = run.Join("one");
  int64_t last = run.experiment().progress().samples_total;
  int64_t in_final = 0;
  while (!run.experiment().finished()) {
    const auto work = run.experiment().Lease(worker);
    ASSERT_TRUE(work.ok() && work->has_value());
    if (run.experiment().progress().stage == StageKind::kFinal) in_final = run.experiment().progress().samples_total;
    ASSERT_EQ(*run.experiment().Report(worker, Evaluate(**work)), true);
    EXPECT_LE(run.experiment().progress().samples_total, last);
    last = run.experiment().progress().samples_total;
  }
  EXPECT_EQ(in_final, run.experiment().progress().samples_done);
  EXPECT_EQ(last, run.experiment().progress().samples_done);
  // Also after a restart in the midst of it, which knows only what is stored.
  SimulatedRun stopped(folder_, "stopped.db");
  ASSERT_TRUE(stopped.Start().ok());
  const std::string one = stopped.Join("one");
  while (stopped.experiment().progress().stage != StageKind::kSelection) {
    ASSERT_TRUE(stopped.experiment().Report(one, Evaluate(**stopped.experiment().Lease(one))).ok());
  }
  ASSERT_TRUE(stopped.experiment().Report(one, Evaluate(**stopped.experiment().Lease(one))).ok());
  const int64_t before = stopped.experiment().progress().samples_total;
  ASSERT_TRUE(stopped.Start().ok());
  EXPECT_EQ(stopped.experiment().progress().samples_total, before);
}

}  // namespace
}  // namespace heterosis
