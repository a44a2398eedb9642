// SPDX-License-Identifier: Apache-2.0
// A small experiment in a database, written as the coordinator writes it: 4 search, 2 validation and 2 test problems,
// two source models, one sample per shard in generations. For the tests of the store and of what reads it.
#pragma once

#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/store/store.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {

inline Recipe MergeRecipe(double math, double ja) {
  Recipe recipe;
  recipe.method = MergeMethod::kDareTies;
  recipe.base = "base";
  recipe.sources = {"math", "ja"};
  recipe.tokenizer = "base";
  recipe.mask_seed = 7;
  recipe.rows = {ParameterRow{.match = {"*"}, .weight = {math, ja}, .density = {0.5, 1.0}}};
  return recipe;
}

// A canonical config (common/config) with the folders of the models.
inline constexpr char kStoredConfig[] =
    R"({"name":"small","seed":7,"models":[{"name":"base","path":"/models/base"},)"
    R"({"name":"math","path":"/models/math"},{"name":"ja","path":"/models/ja"}],"base":"base"})";

inline std::vector<Problem> Problems(const std::string& split, int count) {
  std::vector<Problem> problems;
  for (int i = 0; i < count; ++i) problems.push_back({split + " " + std::to_string(i) + "?", std::to_string(10 + i)});
  return problems;
}

inline ExperimentRecord SmallExperiment() {
  ExperimentRecord experiment;
  experiment.name = "small";
  experiment.config = kStoredConfig;
  experiment.seed = 0xFFFF'FFFF'FFFF'FFFEull;  // does not fit SQLite's signed integers
  experiment.models = {{"base", "digest of base", "base"}, {"math", "m1", "source"}, {"ja", "j1", "source"}};
  experiment.phases = {{0, "ps", 2, 3, 2}, {1, "finer", 2, 2, 1}};
  experiment.search = Problems("search", 4);
  experiment.validation = Problems("validation", 2);
  experiment.test = Problems("test", 2);
  return experiment;
}

inline SampleSet Samples(Split split, std::vector<int> samples) {
  std::string digest = SampleSetDigest(split, samples);
  return {split, std::move(samples), std::move(digest)};
}
inline SampleSet Whole(Split split) {
  std::vector<int> samples(split == Split::kSearch ? 4 : 2);
  std::iota(samples.begin(), samples.end(), 0);
  return Samples(split, std::move(samples));
}

// Genome `id` of a phase, a merge with these two weights as genes.
inline GenomeRecord Merge(int64_t id, int phase, int generation, int candidate, double math, double ja,
                          Origin origin = Origin::kSampled, const std::string& label = "") {
  GenomeRecord genome;
  genome.genome = id;
  genome.phase = phase;
  genome.generation = generation;
  genome.candidate = candidate;
  genome.origin = origin;
  genome.label = label;
  genome.genes = {math, ja};
  genome.recipe = MergeRecipe(math, ja);
  genome.recipe_digest = RecipeDigest(genome.recipe);
  return genome;
}

inline GenomeRecord Parent(int64_t id, const std::string& name) {
  GenomeRecord genome;
  genome.genome = id;
  genome.candidate = static_cast<int>(id) - 1;
  genome.origin = Origin::kParent;
  genome.label = name;
  genome.recipe = SingleModelRecipe(name, "base", DType::kFloat32);
  genome.recipe_digest = RecipeDigest(genome.recipe);
  return genome;
}

inline TrialRecord TrialOf(int64_t id, int64_t genome, Purpose purpose, SampleSet samples,
                           std::optional<int64_t> same_as = std::nullopt) {
  TrialRecord trial;
  trial.trial = id;
  trial.genome = genome;
  trial.purpose = purpose;
  trial.shards = static_cast<int>(samples.samples.size());
  trial.samples = std::move(samples);
  trial.same_as = same_as;
  return trial;
}

// The result of a shard of one sample.
inline ShardCommit Answer(int64_t trial, int shard, int sample, bool correct) {
  ShardCommit commit;
  commit.worker = "session-1";
  commit.result.key = {trial, shard, 1000 + shard};
  commit.result.merge_seconds = 0.5;
  commit.result.decode_seconds = 2;
  SampleResult result;
  result.sample = sample;
  result.correct = result.number_ok = correct;
  result.language_ok = true;
  result.text = "so the answer is 4";
  result.answer = "4";
  result.prompt_tokens = 12;
  result.new_tokens = 5;
  result.finish = FinishReason::kStop;
  commit.result.samples = {result};
  return commit;
}

inline FailureCommit Failure(int64_t trial, int shard, FailureClass failure, const std::string& message,
                             bool trial_failed = false) {
  FailureCommit commit;
  commit.failure.key = {trial, shard, 1000};
  commit.failure.failure = failure;
  commit.failure.message = message;
  commit.worker = "session-1";
  commit.trial_failed = trial_failed;
  return commit;
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(store_->CreateExperiment(SmallExperiment(), Now()).ok());
    ASSERT_TRUE(store_->BeginEpoch(Now()).ok());
    ASSERT_TRUE(store_->CommitWorker({"session-1", "gpu-box", "cuda:0"}, Now()).ok());
  }

  // Opens the database, or closes it and opens it again.
  void Open() {
    store_.reset();
    auto store = Store::Open({.path = path_, .commit_hook = [this](std::string_view point) {
                                return hook_ ? hook_(point) : absl::OkStatus();
                              }});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
  }

  int64_t Now() { return ++now_ms_; }

  absl::Status Stage(StageCommit commit) {
    commit.stage.stage = next_stage_;
    const absl::Status status = store_->CommitStage(commit, Now());
    if (status.ok()) ++next_stage_;
    return status;
  }

  // Reports every shard of the trial, the first `correct` samples right.
  void Score(const TrialRecord& trial, int correct) {
    for (int shard = 0; shard < trial.shards; ++shard) {
      const absl::Status status = store_->CommitShard(
          Answer(trial.trial, shard, trial.samples.samples[static_cast<size_t>(shard)], shard < correct), Now());
      ASSERT_TRUE(status.ok()) << status;
    }
  }

  // Stage 0: the parents math (genome 1, trial 1, 2 of 4 right) and ja (genome 2, trial 2, 1 of 4).
  void RunParents() {
    const TrialRecord math = TrialOf(1, 1, Purpose::kParent, Whole(Split::kSearch));
    const TrialRecord ja = TrialOf(2, 2, Purpose::kParent, Whole(Split::kSearch));
    const absl::Status status = Stage({.stage = {.kind = StageKind::kParents},
                                       .genomes = {Parent(1, "math"), Parent(2, "ja")},
                                       .trials = {math, ja}});
    ASSERT_TRUE(status.ok()) << status;
    Score(math, 2);
    Score(ja, 1);
  }

  // Stage 1, generation 0 of phase 0, on samples 1 and 3: the start (genome 3, trial 3), the uniform merge (4, trial
  // 4), a sampled one (5, trial 5) and one with the same recipe (6, trial 6, shares trial 5's outcome). None scored.
  StageCommit FirstGeneration() {
    const SampleSet batch = Samples(Split::kSearch, {1, 3});
    return {.stage = {.kind = StageKind::kGeneration, .phase = 0, .generation = 0},
            .genomes = {Merge(3, 0, 0, 0, 0.5, 0.5, Origin::kMean),
                        Merge(4, 0, 0, 0, 0.4, 0.4, Origin::kInjected, "uniform"), Merge(5, 0, 0, 1, 0.25, 0.75),
                        Merge(6, 0, 0, 2, 0.25, 0.75)},
            .trials = {TrialOf(3, 3, Purpose::kBaseline, batch), TrialOf(4, 4, Purpose::kSearch, batch),
                       TrialOf(5, 5, Purpose::kSearch, batch), TrialOf(6, 6, Purpose::kSearch, batch, 5)},
            .snapshot = std::string("optimizer\0state", 15),
            .sigma = 0.125};
  }

  TemporaryFolder folder_{MemoryFolder()};
  const std::string path_ = folder_ / "run.db";
  std::function<absl::Status(std::string_view)> hook_;
  std::unique_ptr<Store> store_;
  int64_t now_ms_ = 1'700'000'000'000;
  int next_stage_ = 0;
};

}  // namespace heterosis
