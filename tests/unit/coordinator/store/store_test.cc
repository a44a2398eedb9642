// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/store: what is written comes back, also after the database was closed, and each shard is
// counted once.
#include "coordinator/store/store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>

#include "common/base/file.h"
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

mode_t ModeOf(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 0777;
}

TEST_F(StoreTest, TheDatabaseIsForItsOwnerOnly) {
  EXPECT_EQ(ModeOf(path_), 0600u);
  EXPECT_EQ(ModeOf(path_ + "-wal"), 0600u);
  EXPECT_EQ(ModeOf(path_ + ".lock"), 0600u);
}

TEST_F(StoreTest, ADatabaseThatWasOpenToOthersIsMadePrivate) {
  store_.reset();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  Open();
  ASSERT_TRUE(store_->BeginEpoch(Now()).ok());
  EXPECT_EQ(ModeOf(path_), 0600u);
  EXPECT_EQ(ModeOf(path_ + "-wal"), 0600u);
}

TEST_F(StoreTest, ASecondCoordinatorIsRefusedUntilTheFirstEnds) {
  const auto second = Store::Open({.path = path_});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another coordinator is running on this database"));
  store_.reset();
  EXPECT_TRUE(Store::Open({.path = path_}).ok());
}

TEST_F(StoreTest, WhoseLockWasRemovedWritesNoMore) {
  ASSERT_EQ(std::remove((path_ + ".lock").c_str()), 0);
  const auto second = Store::Open({.path = path_});
  ASSERT_TRUE(second.ok()) << second.status();
  const absl::Status status = store_->CommitWorker({"session", "worker", "cpu"}, Now());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(".lock"));
  EXPECT_TRUE((*second)->CommitWorker({"session", "worker", "cpu"}, Now()).ok());
}

TEST_F(StoreTest, ASymbolicLinkLeadsToTheSameLock) {
  const std::string link = folder_ / "link.db";
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  EXPECT_EQ(Store::Open({.path = link}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StoreTest, AFolderThatDoesNotExistIsNamed) {
  const auto store = Store::Open({.path = folder_ / "nowhere/run.db"});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("nowhere/run.db"));
}

TEST_F(StoreTest, ANewDatabaseHoldsNoExperiment) {
  const auto store = Store::Open({.path = folder_ / "new.db"});
  ASSERT_TRUE(store.ok());
  EXPECT_FALSE((*store)->HasExperiment().value());
  EXPECT_EQ((*store)->LoadExperiment().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ((*store)->State().status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE((*store)->LastStage().value().has_value());
}

TEST_F(StoreTest, TheExperimentComesBackWhole) {
  Open();
  ASSERT_TRUE(store_->HasExperiment().value());
  const ExperimentRecord loaded = store_->LoadExperiment().value();
  const ExperimentRecord written = SmallExperiment();
  EXPECT_EQ(loaded.name, written.name);
  EXPECT_EQ(loaded.config, written.config);
  EXPECT_EQ(loaded.seed, written.seed);
  EXPECT_EQ(loaded.models, written.models);
  ASSERT_EQ(loaded.phases.size(), 2u);
  EXPECT_EQ(loaded.phases[1].name, "finer");
  EXPECT_EQ(loaded.phases[0].population, 3);
  EXPECT_EQ(loaded.search, written.search);
  EXPECT_EQ(loaded.validation, written.validation);
  EXPECT_EQ(loaded.test, written.test);
  EXPECT_EQ(store_->State()->state, ExperimentState::kRunning);
}

TEST_F(StoreTest, EveryExperimentGetsARunIdOfItsOwnUnlessItBringsOne) {
  std::set<std::string> ids = {store_->LoadExperiment()->run_id};
  ExperimentRecord named = SmallExperiment();
  for (const char* name : {"b.db", "c.db"}) {
    auto other = Store::Open({.path = folder_ / name});
    ASSERT_TRUE(other.ok()) << other.status();
    ASSERT_TRUE((*other)->CreateExperiment(named, Now()).ok());
    ids.insert((*other)->LoadExperiment()->run_id);
    named.run_id = "injected";
  }
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_TRUE(ids.contains("injected"));
  for (const std::string& id : ids) EXPECT_TRUE(id == "injected" || id.size() == 32) << id;
}

TEST_F(StoreTest, ASecondExperimentInADatabaseIsRefused) {
  EXPECT_FALSE(store_->CreateExperiment(SmallExperiment(), Now()).ok());
  EXPECT_EQ(store_->LoadExperiment()->search.size(), 4u);
}

TEST_F(StoreTest, EveryStartGetsTheNextEpoch) {
  EXPECT_EQ(store_->BeginEpoch(Now()).value(), 2);
  Open();
  EXPECT_EQ(store_->BeginEpoch(Now()).value(), 3);
}

TEST_F(StoreTest, AStageComesBackWithItsGenomesAndTrials) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Open();
  const StageRecord stage = store_->LastStage().value().value();
  EXPECT_EQ(stage.stage, 1);
  EXPECT_EQ(stage.kind, StageKind::kGeneration);
  EXPECT_EQ(stage.phase, 0);
  EXPECT_EQ(stage.generation, 0);

  const std::vector<GenomeRecord> genomes = store_->Genomes(0).value();
  ASSERT_EQ(genomes.size(), 4u);
  EXPECT_EQ(genomes[0].origin, Origin::kMean);
  EXPECT_EQ(genomes[1].label, "uniform");
  EXPECT_EQ(genomes[3].candidate, 2);
  EXPECT_EQ(genomes[3].genes, commit.genomes[3].genes);
  EXPECT_EQ(genomes[3].recipe, commit.genomes[3].recipe);
  EXPECT_EQ(genomes[3].recipe_digest, commit.genomes[3].recipe_digest);
  EXPECT_EQ(genomes[3].fitness, std::nullopt);
  EXPECT_EQ(store_->Genome(5)->genes, commit.genomes[2].genes);
  EXPECT_EQ(store_->Genome(99).status().code(), absl::StatusCode::kNotFound);

  const std::vector<GenomeRecord> parents = store_->Genomes(std::nullopt).value();
  ASSERT_EQ(parents.size(), 2u);
  EXPECT_EQ(parents[1].label, "ja");
  EXPECT_EQ(parents[1].generation, std::nullopt);
  EXPECT_THAT(parents[1].genes, IsEmpty());

  const std::vector<TrialRecord> trials = store_->Trials(1).value();
  ASSERT_EQ(trials.size(), 4u);
  EXPECT_EQ(trials[0].purpose, Purpose::kBaseline);
  EXPECT_EQ(trials[0].samples.digest, commit.trials[0].samples.digest);
  EXPECT_THAT(trials[0].samples.samples, ElementsAre(1, 3));
  EXPECT_EQ(trials[0].shards, 2);
  EXPECT_EQ(trials[3].same_as, 5);
  EXPECT_EQ(trials[3].state, TrialState::kPending);
  EXPECT_EQ(store_->LastTrialId().value(), 6);
  EXPECT_EQ(store_->LastGenomeId().value(), 6);
}

TEST_F(StoreTest, GenesComeBackBitForBit) {
  RunParents();
  StageCommit commit = FirstGeneration();
  commit.genomes[2].genes = {0.1 + 0.2, 1.0 / 3, 5e-324, -0.0, 1.7976931348623157e308};
  ASSERT_TRUE(Stage(commit).ok());
  EXPECT_EQ(store_->Genome(5)->genes, commit.genomes[2].genes);
  EXPECT_TRUE(std::signbit(store_->Genome(5)->genes[3]));
}

TEST_F(StoreTest, AGenerationWithoutTrialsIsRefused) {
  EXPECT_EQ(Stage({.stage = {.kind = StageKind::kGeneration, .phase = 0, .generation = 0}}).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(StoreTest, ATrialIsRunningAfterItsFirstShardAndDoneAfterItsLast) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ASSERT_TRUE(store_->CommitShard(Answer(4, 1, 3, true), Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(1).state, TrialState::kRunning);
  EXPECT_EQ(store_->Genome(4)->fitness, std::nullopt);
  ASSERT_TRUE(store_->CommitShard(Answer(4, 0, 1, false), Now()).ok());
  const TrialRecord trial = store_->Trials(1)->at(1);
  EXPECT_EQ(trial.state, TrialState::kDone);
  EXPECT_EQ(trial.correct, 1);
  EXPECT_EQ(trial.score, 0.5);
  EXPECT_EQ(store_->Genome(4)->fitness, 0.5);
  EXPECT_EQ(store_->SamplesDone().value(), 8 + 2);
}

TEST_F(StoreTest, AShardIsCountedOnce) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ASSERT_TRUE(store_->CommitShard(Answer(4, 1, 3, true), Now()).ok());
  ShardCommit again = Answer(4, 1, 3, false);
  again.result.key.attempt = 1001;
  EXPECT_EQ(store_->CommitShard(again, Now()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->SamplesDone().value(), 8 + 1);
  ASSERT_TRUE(store_->CommitShard(Answer(4, 0, 1, true), Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(1).correct, 2);  // the second answer to shard 1 changed nothing
  EXPECT_FALSE(store_->CommitShard(again, Now()).ok());
}

TEST_F(StoreTest, AShardThatDoesNotExistIsRefused) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  EXPECT_FALSE(store_->CommitShard(Answer(4, 2, 0, true), Now()).ok());
  EXPECT_FALSE(store_->CommitShard(Answer(99, 0, 0, true), Now()).ok());
  EXPECT_FALSE(store_->CommitShard(Answer(6, 0, 1, true), Now()).ok());  // shares trial 5's outcome, has no shards
  EXPECT_EQ(store_->SamplesDone().value(), 8);
}

TEST_F(StoreTest, TrialsThatShareAnOutcomeAreSettledTogether) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Score(commit.trials[2], 1);
  const TrialRecord copy = store_->Trials(1)->at(3);
  EXPECT_EQ(copy.state, TrialState::kDone);
  EXPECT_EQ(copy.score, 0.5);
  EXPECT_EQ(copy.correct, 1);
  EXPECT_EQ(store_->Genome(6)->fitness, 0.5);
}

TEST_F(StoreTest, ATrialThatSharesADoneOutcomeHasItAtOnce) {
  RunParents();
  StageCommit commit = FirstGeneration();
  const SampleSet all = Whole(Split::kSearch);
  commit.genomes[1].recipe = Parent(1, "math").recipe;
  commit.genomes[1].recipe_digest = Parent(1, "math").recipe_digest;
  commit.trials[1] =
      TrialOf(4, 4, Purpose::kSearch, all, store_->FindDone(commit.genomes[1].recipe_digest, all.digest).value());
  EXPECT_EQ(commit.trials[1].same_as, 1);
  ASSERT_TRUE(Stage(commit).ok());
  EXPECT_EQ(store_->Trials(1)->at(1).state, TrialState::kDone);
  EXPECT_EQ(store_->Trials(1)->at(1).score, 0.5);
  EXPECT_EQ(store_->Genome(4)->fitness, 0.5);
}

TEST_F(StoreTest, FindDoneKnowsTheRecipeTheSamplesAndThatItIsDone) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  const std::string recipe = commit.genomes[2].recipe_digest;
  const std::string batch = commit.trials[2].samples.digest;
  EXPECT_EQ(store_->FindDone(recipe, batch).value(), std::nullopt);  // not done yet
  Score(commit.trials[2], 1);
  EXPECT_EQ(store_->FindDone(recipe, batch).value(), 5);  // not 6, which shares it
  EXPECT_EQ(store_->FindDone(recipe, Whole(Split::kSearch).digest).value(), std::nullopt);
  EXPECT_EQ(store_->FindDone("another recipe", batch).value(), std::nullopt);
}

TEST_F(StoreTest, SampleSetsAreNamedBySplitAndSamples) {
  EXPECT_NE(SampleSetDigest(Split::kSearch, {0, 1}), SampleSetDigest(Split::kTest, {0, 1}));
  EXPECT_NE(SampleSetDigest(Split::kSearch, {0, 1}), SampleSetDigest(Split::kSearch, {1, 0}));
  EXPECT_NE(SampleSetDigest(Split::kSearch, {1, 11}), SampleSetDigest(Split::kSearch, {11, 1}));
  EXPECT_EQ(SampleSetDigest(Split::kSearch, {0, 1}), SampleSetDigest(Split::kSearch, {0, 1}));
}

TEST_F(StoreTest, OnlyScoresOnTheSearchSplitAreAFitness) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Score(commit.trials[0], 1);
  Score(commit.trials[2], 2);
  const TrialRecord rescore = TrialOf(7, 5, Purpose::kRescore, Whole(Split::kValidation));
  const TrialRecord baseline = TrialOf(8, 3, Purpose::kBaseline, Whole(Split::kTest));
  ASSERT_TRUE(Stage({.stage = {.kind = StageKind::kSelection, .phase = 0}, .trials = {rescore, baseline}}).ok());
  Score(rescore, 0);
  Score(baseline, 2);
  EXPECT_EQ(store_->Genome(5)->fitness, 1.0);
  EXPECT_EQ(store_->Genome(3)->fitness, 0.5);
}

TEST_F(StoreTest, TheBestGenomesComeFirstAndEachRecipeOnce) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  EXPECT_THAT(store_->TopGenomes(0, 5).value(), IsEmpty());
  Score(commit.trials[0], 1);
  Score(commit.trials[1], 1);
  Score(commit.trials[2], 2);
  EXPECT_THAT(store_->TopGenomes(0, 5).value(), ElementsAre(5, 3, 4));  // 6 is 5's recipe; 3 and 4 tie
  EXPECT_THAT(store_->TopGenomes(0, 2).value(), ElementsAre(5, 3));
  EXPECT_THAT(store_->TopGenomes(1, 5).value(), IsEmpty());
}

TEST_F(StoreTest, FitnessSumsUpAPhaseAndAGeneration) {
  RunParents();
  EXPECT_EQ(store_->Fitness(0, 0)->best, std::nullopt);
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Score(commit.trials[0], 2);  // the start: the best, but no member of the generation
  Score(commit.trials[1], 0);
  Score(commit.trials[2], 1);
  const FitnessSummary summary = store_->Fitness(0, 0).value();
  EXPECT_EQ(summary.best, 1.0);
  EXPECT_DOUBLE_EQ(summary.mean.value(), (0 + 0.5 + 0.5) / 3);
  EXPECT_EQ(store_->Fitness(0, 1)->mean, std::nullopt);
}

TEST_F(StoreTest, AFailedTrialFailsWithThoseThatShareItsOutcome) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ASSERT_TRUE(store_->CommitShard(Answer(5, 0, 1, true), Now()).ok());
  FailureCommit failure = Failure(5, 1, FailureClass::kNumeric, "NaN in the logits");
  ASSERT_TRUE(store_->CommitFailure(failure, Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(2).state, TrialState::kRunning);
  failure.trial_failed = true;
  ASSERT_TRUE(store_->CommitFailure(failure, Now()).ok());
  for (const int trial : {2, 3}) {
    const TrialRecord record = store_->Trials(1)->at(static_cast<size_t>(trial));
    EXPECT_EQ(record.state, TrialState::kFailed);
    EXPECT_EQ(record.failure, "numeric: NaN in the logits");
    EXPECT_EQ(record.score, std::nullopt);
  }
  EXPECT_EQ(store_->Genome(5)->fitness, std::nullopt);
  // A result that comes after all changes nothing.
  EXPECT_FALSE(store_->CommitShard(Answer(5, 1, 3, true), Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(2).state, TrialState::kFailed);
}

TEST_F(StoreTest, ATrialThatFitsNowhereIsInfeasibleWithThoseThatShareItsOutcome) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ASSERT_TRUE(store_->CommitFailure(Failure(5, 1, FailureClass::kMemory, "64 hops do not fit"), Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(2).state, TrialState::kPending);
  ASSERT_TRUE(store_->CommitFailure(Failure(5, 1, FailureClass::kMemory, "64 hops do not fit", true), Now()).ok());
  for (const int trial : {2, 3}) {
    const TrialRecord record = store_->Trials(1)->at(static_cast<size_t>(trial));
    EXPECT_EQ(record.state, TrialState::kInfeasible);
    EXPECT_EQ(record.failure, "memory: 64 hops do not fit");
    EXPECT_TRUE(FailedOnWorkers(record));
  }
  EXPECT_EQ(store_->Genome(5)->fitness, std::nullopt);
  const std::vector<UnfinishedTrial> left = store_->UnfinishedTrials().value();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].trial, 3);
  EXPECT_EQ(left[1].trial, 4);
  EXPECT_FALSE(store_->CommitShard(Answer(5, 1, 3, true), Now()).ok());
}

TEST_F(StoreTest, ADoneTrialCannotFail) {
  RunParents();
  const FailureCommit failure = Failure(1, 0, FailureClass::kCrash, "too late", true);
  EXPECT_FALSE(store_->CommitFailure(failure, Now()).ok());
  EXPECT_EQ(store_->Trials(0)->at(0).state, TrialState::kDone);
}

TEST_F(StoreTest, UnfinishedTrialsComeBackWithTheirOpenShardsAndFailures) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Score(commit.trials[0], 1);
  ASSERT_TRUE(store_->CommitShard(Answer(4, 0, 1, true), Now()).ok());
  const auto fail = [&](FailureClass failure) {
    ASSERT_TRUE(store_->CommitFailure(Failure(4, 1, failure, "x"), Now()).ok());
  };
  fail(FailureClass::kInfra);  // not counted
  fail(FailureClass::kCrash);
  fail(FailureClass::kNumeric);
  fail(FailureClass::kMemory);
  fail(FailureClass::kInvalid);  // not counted
  Open();
  const std::vector<UnfinishedTrial> trials = store_->UnfinishedTrials().value();
  ASSERT_EQ(trials.size(), 2u);  // trial 6 shares trial 5's outcome: nothing to hand out
  EXPECT_EQ(trials[0].trial, 4);
  EXPECT_THAT(trials[0].open_shards, ElementsAre(1));
  EXPECT_EQ(trials[0].failures, 3);
  const std::set<std::string> name = {"gpu-box"};
  EXPECT_THAT(trials[0].workers, ElementsAre(Pair(FailureClass::kCrash, name), Pair(FailureClass::kNumeric, name),
                                             Pair(FailureClass::kMemory, name)));
  EXPECT_EQ(trials[1].trial, 5);
  EXPECT_THAT(trials[1].open_shards, ElementsAre(0, 1));
  EXPECT_EQ(trials[1].failures, 0);
}

TEST_F(StoreTest, AWorkerMustBeKnownToHandInAResult) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ShardCommit commit = Answer(4, 0, 1, true);
  commit.worker = "nobody";
  EXPECT_FALSE(store_->CommitShard(commit, Now()).ok());
  EXPECT_EQ(store_->SamplesDone().value(), 8);
  ASSERT_TRUE(store_->CommitWorker({"nobody", "someone", "cpu"}, Now()).ok());
  ASSERT_TRUE(store_->CommitWorker({"nobody", "someone", "cpu"}, Now()).ok());  // may be repeated
  EXPECT_TRUE(store_->CommitShard(commit, Now()).ok());
}

TEST_F(StoreTest, OnlyTheNewestTwoSnapshotsAreKept) {
  RunParents();
  const StageCommit first = FirstGeneration();
  ASSERT_TRUE(Stage(first).ok());
  EXPECT_EQ(store_->Snapshot(0, 0).value(), first.snapshot);
  for (const TrialRecord& trial : first.trials) {
    if (!trial.same_as.has_value()) Score(trial, 1);
  }
  for (const auto& [phase, generation] : std::vector<std::pair<int, int>>{{0, 1}, {1, 0}}) {
    const int64_t id = store_->LastGenomeId().value() + 1;
    const StageCommit next{.stage = {.kind = StageKind::kGeneration, .phase = phase, .generation = generation},
                           .genomes = {Merge(id, phase, generation, 0, 0.3, 0.3)},
                           .trials = {TrialOf(id, id, Purpose::kSearch, Whole(Split::kSearch))},
                           .snapshot = "state " + std::to_string(phase) + std::to_string(generation)};
    ASSERT_TRUE(Stage(next).ok());
    if (phase == 0) Score(next.trials[0], 1);
  }
  Open();
  EXPECT_EQ(store_->Snapshot(0, 0).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->Snapshot(0, 1).value(), "state 01");
  EXPECT_EQ(store_->Snapshot(1, 0).value(), "state 10");
}

TEST_F(StoreTest, TheEndIsWrittenDown) {
  RunParents();
  ASSERT_TRUE(store_->Finish({ExperimentState::kFailed, "every trial failed"}, Now()).ok());
  Open();
  EXPECT_EQ(store_->State()->state, ExperimentState::kFailed);
  EXPECT_EQ(store_->State()->error, "every trial failed");
}

TEST_F(StoreTest, AFailedExperimentIsTakenUpAgainWithItsFailedTrials) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  Score(commit.trials[0], 1);
  ASSERT_TRUE(store_->CommitShard(Answer(5, 0, 1, true), Now()).ok());
  ASSERT_TRUE(store_->CommitFailure(Failure(5, 1, FailureClass::kCrash, "no memory", true), Now()).ok());
  ASSERT_TRUE(store_->CommitFailure(Failure(4, 1, FailureClass::kCrash, "no memory"), Now()).ok());
  ASSERT_TRUE(store_->Finish({ExperimentState::kFailed, "too much has failed"}, Now()).ok());
  ASSERT_TRUE(store_->Reopen().ok());
  EXPECT_EQ(store_->State()->state, ExperimentState::kRunning);
  EXPECT_EQ(store_->State()->error, "");
  const std::vector<UnfinishedTrial> open = store_->UnfinishedTrials().value();
  ASSERT_EQ(open.size(), 2u);
  EXPECT_EQ(open[0].failures, 1);  // trial 4 had not failed: what it did counts
  EXPECT_THAT(open[1].open_shards, ElementsAre(1));
  EXPECT_EQ(open[1].failures, 0);  // trial 5 begins anew with what is left of it
  ASSERT_TRUE(store_->CommitShard(Answer(5, 1, 3, true), Now()).ok());
  EXPECT_EQ(store_->Trials(1)->at(2).correct, 2);
  EXPECT_EQ(store_->Trials(1)->at(3).state, TrialState::kDone);  // and the one that shares its outcome
}

TEST_F(StoreTest, OfInfeasibleTrialsOnlyThoseThatDidNotFitAreTakenUpAgain) {
  RunParents();
  StageCommit commit = FirstGeneration();
  commit.trials[0].state = TrialState::kInfeasible;  // born so
  commit.trials[0].shards = 0;
  commit.trials[0].failure = "too long";
  ASSERT_TRUE(Stage(commit).ok());
  EXPECT_FALSE(FailedOnWorkers(store_->Trials(1)->at(0)));
  ASSERT_TRUE(store_->CommitFailure(Failure(5, 0, FailureClass::kMemory, "does not fit", true), Now()).ok());
  ASSERT_TRUE(store_->Finish({ExperimentState::kFailed, "too much has failed"}, Now()).ok());
  ASSERT_TRUE(store_->Reopen().ok());
  const std::vector<TrialRecord> trials = store_->Trials(1).value();
  EXPECT_EQ(trials[0].state, TrialState::kInfeasible);
  EXPECT_EQ(trials[0].failure, "too long");
  EXPECT_EQ(trials[2].state, TrialState::kPending);
  EXPECT_EQ(trials[3].state, TrialState::kPending);  // shares the outcome of the one before
  EXPECT_EQ(store_->UnfinishedTrials()->back().failures, 0);
}

TEST_F(StoreTest, TheWinnerOfAPhaseIsMarkedWithTheNextStage) {
  RunParents();
  const StageCommit commit = FirstGeneration();
  ASSERT_TRUE(Stage(commit).ok());
  ASSERT_TRUE(Stage({.stage = {.kind = StageKind::kFinal}, .chosen = 5}).ok());
  EXPECT_TRUE(store_->Genome(5)->chosen);
  EXPECT_FALSE(store_->Genome(6)->chosen);
}

TEST_F(StoreTest, AnswersComeBackByteForByte) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ShardCommit commit = Answer(4, 0, 1, true);
  commit.result.samples[0].text = std::string("答え\0 is \"4\"\n\xFF", 17);
  ASSERT_TRUE(store_->CommitShard(commit, Now()).ok());
  store_.reset();
  auto database = Database::Open(path_, Database::Mode::kReadOnly).value();
  Statement row = database->Prepare("SELECT text FROM results WHERE trial = 4").value();
  ASSERT_TRUE(row.Step().value());
  EXPECT_EQ(row.Text(0), commit.result.samples[0].text);
}

}  // namespace
}  // namespace heterosis
