// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/reader and of the views under it, on a run of two phases that is written step by step.
#include "coordinator/store/reader.h"

#include <gmock/gmock.h>

#include "common/base/file.h"
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReaderTest : public StoreTest {
 protected:
  std::unique_ptr<StoreReader> Reader() {
    auto reader = StoreReader::Open(path_);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return std::move(*reader);
  }

  static std::vector<int64_t> Genomes(const std::vector<BestRow>& rows) {
    std::vector<int64_t> genomes;
    for (const BestRow& row : rows) genomes.push_back(row.genome_id);
    return genomes;
  }

  // Generation 0 of phase 0, scored: the start 1 of 2, the uniform merge 0 of 2, genome 5 (and 6) 2 of 2.
  void RunFirstGeneration() {
    const StageCommit commit = FirstGeneration();
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[0], 1);
    Score(commit.trials[1], 0);
    Score(commit.trials[2], 2);
  }

  // Generation 1 on the samples 0 and 2: genome 7 scores 1 of 2, genome 8 fails. No score beats generation 0's.
  void RunSecondGeneration() {
    const SampleSet batch = Samples(Split::kSearch, {0, 2});
    const StageCommit commit{.stage = {.kind = StageKind::kGeneration, .phase = 0, .generation = 1},
                             .genomes = {Merge(7, 0, 1, 0, 0.6, 0.6), Merge(8, 0, 1, 1, 0.9, 0.9)},
                             .trials = {TrialOf(7, 7, Purpose::kSearch, batch), TrialOf(8, 8, Purpose::kSearch, batch)},
                             .snapshot = "state",
                             .sigma = 0.0625};
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[0], 1);
    ASSERT_TRUE(store_->CommitFailure(Failure(8, 1, FailureClass::kCrash, "out of memory", true), Now()).ok());
  }

  // The best of phase 0 again, on validation: genome 5 gets 1 of 2, genome 7 gets 2 of 2, the last mean (9) 1 of 2.
  void RunSelection() {
    const SampleSet validation = Whole(Split::kValidation);
    const StageCommit commit{
        .stage = {.kind = StageKind::kSelection, .phase = 0},
        .genomes = {Merge(9, 0, 2, 0, 0.55, 0.55, Origin::kMean)},
        .trials = {TrialOf(9, 5, Purpose::kRescore, validation), TrialOf(10, 7, Purpose::kRescore, validation),
                   TrialOf(11, 9, Purpose::kRescore, validation)}};
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[0], 1);
    Score(commit.trials[1], 2);
    Score(commit.trials[2], 1);
  }

  // Phase 1 with one generation on all of search: genome 10 (the same merge as the start of phase 0) 1 of 4, genome 11
  // 4 of 4. Genome 7 has won phase 0.
  void RunSecondPhase() {
    const SampleSet all = Whole(Split::kSearch);
    const StageCommit commit{
        .stage = {.kind = StageKind::kGeneration, .phase = 1, .generation = 0},
        .genomes = {Merge(10, 1, 0, 0, 0.5, 0.5, Origin::kMean), Merge(11, 1, 0, 0, 0.7, 0.1)},
        .trials = {TrialOf(12, 10, Purpose::kBaseline, all), TrialOf(13, 11, Purpose::kSearch, all)},
        .snapshot = "state",
        .sigma = 0.25,
        .chosen = 7};
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[0], 1);
    Score(commit.trials[1], 4);
  }

  // The sealed test: the parent math 1 of 2, the winners 7 and 11 2 of 2. Genome 11 has won phase 1.
  void RunFinal() {
    const SampleSet test = Whole(Split::kTest);
    const StageCommit commit{.stage = {.kind = StageKind::kFinal},
                             .trials = {TrialOf(14, 1, Purpose::kTest, test), TrialOf(15, 7, Purpose::kTest, test),
                                        TrialOf(16, 11, Purpose::kTest, test)},
                             .chosen = 11};
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[0], 1);
    Score(commit.trials[1], 2);
    Score(commit.trials[2], 2);
    ASSERT_TRUE(store_->Finish({ExperimentState::kDone, ""}, Now()).ok());
  }

  void RunAll() {
    RunParents();
    RunFirstGeneration();
    RunSecondGeneration();
    RunSelection();
    RunSecondPhase();
    RunFinal();
  }
};

TEST_F(ReaderTest, AMissingFileIsNamedWithTheRemedy) {
  const absl::Status status = StoreReader::Open(folder_ / "other.db").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("other.db: no such database"));
}

TEST_F(ReaderTest, FilesThatHoldNoExperimentAreRefused) {
  const std::string path = folder_ / "other.db";
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  EXPECT_THAT(std::string(StoreReader::Open(path).status().message()), HasSubstr("has not begun"));
  ASSERT_TRUE(Store::Open({.path = path}).ok());
  EXPECT_THAT(std::string(StoreReader::Open(path).status().message()), HasSubstr("holds no experiment yet"));
  ASSERT_TRUE(WriteFileAtomic(path, std::string(4096, 'x')).ok());
  EXPECT_EQ(StoreReader::Open(path).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ReaderTest, DamageIsToldInsteadOfWrongNumbers) {
  RunParents();
  store_.reset();
  ASSERT_TRUE(StoreReader::Open(path_).ok());
  {
    auto database = Database::Open(path_, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("UPDATE trials SET score = 0.99 WHERE trial = 2").ok());
  }
  const absl::Status status = StoreReader::Open(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("table trials"), HasSubstr("check --db")));
  EXPECT_FALSE(StoreReader::OpenUnchecked(path_).value()->Examine(10)->damage.empty());
}

TEST_F(ReaderTest, TheExperimentIsSummedUp) {
  RunParents();
  const ExperimentSummary running = Reader()->Experiment().value();
  EXPECT_EQ(running.name, "small");
  EXPECT_EQ(running.state, ExperimentState::kRunning);
  EXPECT_EQ(running.config, kStoredConfig);
  EXPECT_EQ(running.seed, SmallExperiment().seed);
  EXPECT_EQ(running.models, SmallExperiment().models);
  EXPECT_EQ(running.phases.at(1).name, "finer");
  EXPECT_EQ(running.search_size, 4);
  EXPECT_EQ(running.validation_size, 2);
  EXPECT_EQ(running.test_size, 2);
  EXPECT_EQ(running.finished_ms, std::nullopt);
  ASSERT_TRUE(store_->Finish({ExperimentState::kFailed, "no luck"}, Now()).ok());
  EXPECT_EQ(Reader()->Experiment()->error, "no luck");
  EXPECT_EQ(Reader()->Experiment()->finished_ms, now_ms_);
}

TEST_F(ReaderTest, AReaderSeesTheRunWhileTheCoordinatorWrites) {
  const auto reader = Reader();
  EXPECT_THAT(reader->Parents().value(), IsEmpty());
  RunParents();
  EXPECT_EQ(reader->Parents()->size(), 2u);
}

TEST_F(ReaderTest, ParentsHaveTheirScoresPerSplit) {
  RunAll();
  const std::vector<ParentRow> parents = Reader()->Parents().value();
  ASSERT_EQ(parents.size(), 2u);
  EXPECT_EQ(parents[0].name, "math");
  EXPECT_EQ(parents[0].trial, 1);
  EXPECT_EQ(parents[0].scores.search, 0.5);
  EXPECT_EQ(parents[0].scores.validation, std::nullopt);
  EXPECT_EQ(parents[0].scores.test, 0.5);
  EXPECT_EQ(parents[1].scores.search, 0.25);
  EXPECT_EQ(parents[1].scores.test, std::nullopt);
}

TEST_F(ReaderTest, BeforeAnySelectionTheBestFitnessComesFirstAndTheUnscoredLast) {
  RunParents();
  RunFirstGeneration();
  RunSecondGeneration();
  // 1.0, 1.0 (the same recipe), 0.5 twice (the earlier one first), 0.0, and the failed one.
  EXPECT_THAT(Genomes(Reader()->Best(100).value()), ElementsAre(5, 6, 3, 7, 4, 8));
  EXPECT_THAT(Genomes(Reader()->Best(2).value()), ElementsAre(5, 6));
}

TEST_F(ReaderTest, TheChosenComeFirstThenTheRescoredThenTheOthers) {
  RunParents();
  RunFirstGeneration();
  RunSecondGeneration();
  RunSelection();
  // Re-scored: 7 with 1.0, then 5 before 9 (both 0.5, but 9 has no fitness).
  EXPECT_THAT(Genomes(Reader()->Best(100).value()), ElementsAre(7, 5, 9, 6, 3, 4, 8));
  RunSecondPhase();
  RunFinal();
  // Chosen: 11 of the last phase, then 7. Genome 10 has fitness 0.25.
  EXPECT_THAT(Genomes(Reader()->Best(100).value()), ElementsAre(11, 7, 5, 9, 6, 3, 10, 4, 8));
}

TEST_F(ReaderTest, ABestRowTellsAllAboutItsGenome) {
  RunAll();
  const std::vector<BestRow> rows = Reader()->Best(4).value();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].trial, 13);
  EXPECT_EQ(rows[0].phase, "finer");
  EXPECT_EQ(rows[0].scores.search, 1.0);  // its generation was scored on all of search
  EXPECT_EQ(rows[0].scores.validation, std::nullopt);
  EXPECT_EQ(rows[0].scores.test, 1.0);
  EXPECT_TRUE(rows[0].chosen);
  EXPECT_EQ(rows[0].origin, Origin::kSampled);
  EXPECT_THAT(rows[0].genome, ElementsAre(0.7, 0.1));
  EXPECT_EQ(rows[0].recipe, MergeRecipe(0.7, 0.1));

  EXPECT_EQ(rows[1].trial, 7);
  EXPECT_EQ(rows[1].phase, "ps");
  EXPECT_EQ(rows[1].generation, 1);
  EXPECT_EQ(rows[1].candidate, 0);
  EXPECT_EQ(rows[1].fitness, 0.5);
  EXPECT_EQ(rows[1].scores.search, std::nullopt);  // a batch is not all of search
  EXPECT_EQ(rows[1].scores.validation, 1.0);

  EXPECT_EQ(rows[3].trial, 11);  // the mean at the end: its re-scoring
  EXPECT_EQ(rows[3].origin, Origin::kMean);
  EXPECT_EQ(rows[3].generation, 2);
  EXPECT_EQ(rows[3].fitness, std::nullopt);
  EXPECT_FALSE(rows[3].chosen);
}

TEST_F(ReaderTest, BaselinesAreTheUniformMergesAndTheStartsEachRecipeOnce) {
  RunAll();
  const std::vector<BestRow> rows = Reader()->Baselines().value();
  // Not 10, the start of phase 1: it is the same merge as genome 3. Not 9: the mean of a phase's end.
  EXPECT_THAT(Genomes(rows), ElementsAre(3, 4));
  EXPECT_EQ(rows[0].origin, Origin::kMean);
  EXPECT_EQ(rows[0].trial, 3);
  EXPECT_EQ(rows[1].origin, Origin::kInjected);
  EXPECT_EQ(rows[1].label, "uniform");
}

TEST_F(ReaderTest, GenerationsShowTheirProgressAndTheBestSoFar) {
  RunParents();
  RunFirstGeneration();
  RunSecondGeneration();
  std::vector<GenerationRow> rows = Reader()->Generations().value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].phase, "ps");
  EXPECT_EQ(rows[0].generation, 0);
  EXPECT_EQ(rows[0].state, "done");
  EXPECT_EQ(rows[0].trials, 3);  // without the baseline
  EXPECT_EQ(rows[0].done, 3);
  EXPECT_EQ(rows[0].failed, 0);
  EXPECT_EQ(rows[0].best, 1.0);
  EXPECT_DOUBLE_EQ(rows[0].mean.value(), 2.0 / 3);
  EXPECT_EQ(rows[0].sigma, 0.125);
  EXPECT_GT(rows[0].finished_ms.value(), rows[0].started_ms);
  EXPECT_EQ(rows[1].state, "open");
  EXPECT_EQ(rows[1].trials, 2);
  EXPECT_EQ(rows[1].done, 1);
  EXPECT_EQ(rows[1].failed, 1);
  EXPECT_EQ(rows[1].best, 0.5);
  EXPECT_EQ(rows[1].best_so_far, 1.0);
  EXPECT_EQ(rows[1].finished_ms, std::nullopt);
  RunSelection();
  RunSecondPhase();
  rows = Reader()->Generations().value();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[2].phase, "finer");
  EXPECT_EQ(rows[2].best_so_far, 1.0);
}

TEST_F(ReaderTest, WorkersAreSummedUpOverTheirSessions) {
  RunParents();
  ASSERT_TRUE(store_->CommitWorker({"session-2", "gpu-box", "cuda:0"}, Now()).ok());
  ASSERT_TRUE(store_->CommitWorker({"session-3", "laptop", "cpu"}, Now()).ok());
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  ShardCommit shard = Answer(4, 0, 1, true);
  shard.worker = "session-2";
  ASSERT_TRUE(store_->CommitShard(shard, Now()).ok());
  FailureCommit failure = Failure(4, 1, FailureClass::kInfra, "gone");
  failure.worker = "session-3";
  ASSERT_TRUE(store_->CommitFailure(failure, Now()).ok());
  const std::vector<WorkerRow> workers = Reader()->Workers().value();
  ASSERT_EQ(workers.size(), 2u);
  EXPECT_EQ(workers[0].name, "gpu-box");
  EXPECT_EQ(workers[0].device, "cuda:0");
  EXPECT_EQ(workers[0].shards, 9);
  EXPECT_EQ(workers[0].samples, 9);
  EXPECT_EQ(workers[0].tokens, 9 * 5);
  EXPECT_EQ(workers[0].failures, 0);
  EXPECT_DOUBLE_EQ(workers[0].merge_seconds, 4.5);
  EXPECT_DOUBLE_EQ(workers[0].decode_seconds, 18);
  EXPECT_EQ(workers[1].name, "laptop");
  EXPECT_EQ(workers[1].shards, 0);
  EXPECT_EQ(workers[1].failures, 1);
}

TEST_F(ReaderTest, ATrialComesWithItsAnswersShardsAndFailures) {
  RunParents();
  RunFirstGeneration();
  RunSecondGeneration();
  const TrialDetails done = Reader()->Trial(7).value();
  EXPECT_EQ(done.phase, "ps");
  EXPECT_EQ(done.genome.genome, 7);
  EXPECT_EQ(done.trial.score, 0.5);
  ASSERT_EQ(done.results.size(), 2u);
  EXPECT_EQ(done.results[1].sample, 2);
  EXPECT_EQ(done.results[0], Answer(7, 0, 0, true).result.samples[0]);
  EXPECT_EQ(done.problems[1].question, "search 2?");
  ASSERT_EQ(done.shards.size(), 2u);
  EXPECT_EQ(done.shards[1].worker, "gpu-box");
  EXPECT_EQ(done.shards[1].attempt, 1001);

  const TrialDetails failed = Reader()->Trial(8).value();
  EXPECT_EQ(failed.trial.state, TrialState::kFailed);
  ASSERT_EQ(failed.failures.size(), 1u);
  EXPECT_EQ(failed.failures[0].failure, "crash");
  EXPECT_EQ(failed.failures[0].message, "out of memory");
  EXPECT_EQ(failed.failures[0].worker, "gpu-box");
  EXPECT_EQ(failed.shards[0].attempt, std::nullopt);
}

TEST_F(ReaderTest, ATrialThatSharesAnOutcomeShowsTheOthersAnswers) {
  RunParents();
  RunFirstGeneration();
  const TrialDetails details = Reader()->Trial(6).value();
  EXPECT_EQ(details.trial.same_as, 5);
  EXPECT_EQ(details.genome.genome, 6);
  EXPECT_EQ(details.results.size(), 2u);
  EXPECT_EQ(details.shards.size(), 2u);
}

TEST_F(ReaderTest, AnUnknownTrialIsNamedWithThoseThatExist) {
  RunParents();
  const absl::Status status = Reader()->Trial(3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no trial 3; there are 1 to 2"));
}

}  // namespace
}  // namespace heterosis
