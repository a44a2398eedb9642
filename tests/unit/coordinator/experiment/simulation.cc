// SPDX-License-Identifier: Apache-2.0
// Implements simulation.h.
#include "tests/unit/coordinator/experiment/simulation.h"

#include <cmath>

#include "absl/strings/str_join.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "common/config/resolve.h"
#include "coordinator/store/sqlite.h"
#include "google/protobuf/text_format.h"

namespace heterosis {
namespace {

constexpr char kConfig[] = R"pb(
  name: "small"
  seed: 7
  models { name: "base" path: "/models/base" }
  models { name: "ja" path: "/models/ja" }
  models { name: "math" path: "/models/math" }
  base: "base"
  data {
    search { path: "search.jsonl" }
    validation { path: "validation.jsonl" }
    test { path: "test.jsonl" }
  }
  task { prompt { template: "plain" } }
  phases {
    name: "ps"
    merge {
      method: TASK_ARITHMETIC
      granularity: MODEL
      weight { low: 0 high: 2 }
    }
    optimizer { population: 6 }
    budget { generations: 3 }
    samples { per_generation: 6 }
    selection { top: 2 }
  }
  evaluation { shard_size: 2 }
  scheduling { lease_seconds: 10 attempts: 2 }
)pb";

std::vector<Problem> Problems(const std::string& split, int count) {
  std::vector<Problem> problems;
  for (int i = 0; i < count; ++i) problems.push_back({split + " " + std::to_string(i) + "?", std::to_string(i)});
  return problems;
}

}  // namespace

ExperimentSetup SmallSetup() {
  ExperimentSetup setup;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kConfig, &setup.config));
  ResolveConfig(setup.config);
  setup.search = Problems("search", 8);
  setup.validation = Problems("validation", 6);
  setup.test = Problems("test", 6);
  setup.model_digests = {{"base", "digest of base"}, {"ja", "digest of ja"}, {"math", "digest of math"}};
  setup.model_layers = {{"base", 4}, {"ja", 4}, {"math", 4}};
  return setup;
}

namespace {

double QualityOfMerge(const Recipe& recipe) {
  const std::vector<double>& weights = recipe.rows[0].weight;
  const double ja = weights[0];
  const double math = weights.size() > 1 ? weights[1] : 0;
  return std::exp(-std::pow(ja - 1.5, 2) - std::pow(math - 0.5, 2));
}

// Paths with many layers of the second part are good, long ones are not.
double QualityOfPath(const Recipe& recipe) {
  double second = 0;
  for (const Hop& hop : recipe.path) second += hop.part == 1 ? hop.scale : 0;
  return std::exp(-0.1 * std::pow(second - 2, 2) - 0.02 * static_cast<double>(recipe.path.size()));
}

}  // namespace

bool Solves(const Recipe& recipe, int sample) {
  const double quality = recipe.is_path() ? QualityOfPath(recipe) : QualityOfMerge(recipe);
  RandomStream noise(RandomKey({HashText(RecipeDigest(recipe)), static_cast<uint64_t>(sample)}));
  return noise.NextUniform() < quality;
}

ShardResult Evaluate(const ShardWork& work) {
  ShardResult result;
  result.key = work.key;
  for (size_t i = 0; i < work.samples.size(); ++i) {
    const bool right = Solves(work.recipe, work.samples[i]);
    result.samples.push_back({.sample = work.samples[i],
                              .correct = right,
                              .number_ok = right,
                              .language_ok = true,
                              .text = work.problems[i].question + " " + work.problems[i].answer,
                              .answer = right ? work.problems[i].answer : "",
                              .prompt_tokens = 3,
                              .new_tokens = 2,
                              .finish = FinishReason::kEos});
  }
  return result;
}

absl::Status SimulatedRun::Start() {
  Kill();
  ASSIGN_OR_RETURN(store_, Store::Open({.path = path_, .commit_hook = commit_hook}));
  ASSIGN_OR_RETURN(experiment_, Experiment::Open(setup, *store_, clock));
  ++starts_;
  return absl::OkStatus();
}

void SimulatedRun::Kill() {
  experiment_.reset();
  store_.reset();
}

std::string SimulatedRun::Join(const std::string& name) {
  const std::string session = absl::StrCat("start-", starts_, "-", name);
  EXPECT_TRUE(experiment_->RegisterWorker({session, name, "cpu"}).ok());
  return session;
}

absl::Status SimulatedRun::RunToEnd(int workers, uint64_t order_seed, const Evaluator& evaluate) {
  std::vector<std::string> sessions;
  for (int i = 0; i < workers; ++i) {
    const std::string name = absl::StrCat("worker ", i);
    sessions.push_back(absl::StrCat("start-", starts_, "-", name));
    RETURN_IF_ERROR(experiment_->RegisterWorker({sessions.back(), name, "cpu"}));
  }
  std::vector<std::optional<ShardWork>> held(sessions.size());
  RandomStream order(RandomKey({order_seed}));
  for (int step = 0; !experiment_->finished(); ++step) {
    if (step > 10'000) return absl::DeadlineExceededError("the experiment does not come to its end");
    const size_t i = order.NextBelow(sessions.size());
    if (held[i].has_value()) {
      RETURN_IF_ERROR(experiment_->Report(sessions[i], evaluate(*held[i])).status());
      held[i].reset();
    } else {
      ASSIGN_OR_RETURN(held[i], experiment_->Lease(sessions[i]));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> SimulatedRun::Query(const std::string& sql) const {
  std::vector<std::string> rows;
  const absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(path_, Database::Mode::kReadOnly);
  EXPECT_TRUE(database.ok()) << database.status();
  if (!database.ok()) return rows;
  absl::StatusOr<Statement> statement = (*database)->Prepare(sql);
  EXPECT_TRUE(statement.ok()) << statement.status();
  while (statement.ok()) {
    const absl::StatusOr<bool> more = statement->Step();
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    rows.push_back(statement->Text(0));
  }
  return rows;
}

ExperimentSetup TwoPhaseSetup() {
  constexpr char kDfsPhase[] = R"pb(
    name: "dfs"
    space: DFS
    path {
      sources { phase: "ps" }
      sources { model: "math" }
      repeats: 2
      scales: SLOT
      max_hops: 9
    }
    optimizer { population: 6 }
    budget { generations: 3 }
    samples { per_generation: 6 }
    selection { top: 2 }
  )pb";
  ExperimentSetup setup = SmallSetup();
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kDfsPhase, setup.config.add_phases()));
  return setup;
}

std::string SimulatedRun::Contents() const {
  const std::vector<std::string> queries = {
      "SELECT json_array(name, config, seed, state, error) FROM experiment",
      "SELECT json_array(stage, kind, phase, generation, state) FROM stages ORDER BY stage",
      "SELECT json_array(phase, generation, stage, sample_set, sigma, hex(snapshot)) FROM generations ORDER BY stage",
      "SELECT json_array(genome, phase, generation, candidate, origin, label, genes, recipe, fitness, chosen) FROM "
      "genomes ORDER BY genome",
      "SELECT json_array(trial, stage, genome, purpose, split, sample_set, shards, same_as, state, correct, total, "
      "score, failure) FROM trials ORDER BY trial",
      "SELECT json_array(trial, shard, state) FROM shards ORDER BY trial, shard",
      "SELECT json_array(trial, sample, shard, correct, number_ok, language_ok, answer, text, prompt_tokens, "
      "new_tokens, finish) FROM results ORDER BY trial, sample"};
  std::string text;
  for (const std::string& query : queries) absl::StrAppend(&text, absl::StrJoin(Query(query), "\n"), "\n\n");
  return text;
}

}  // namespace heterosis
