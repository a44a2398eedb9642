// SPDX-License-Identifier: Apache-2.0
// Implements small_experiment.h.
#include "tests/support/small_experiment.h"

#include <cmath>
#include <cstdlib>
#include <memory>

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
  scheduling { lease_seconds: 10 attempts: 2 canary_every: 0 }
)pb";

// The texts are constants of this file.
void Parse(const char* text, google::protobuf::Message* message) {
  if (!google::protobuf::TextFormat::ParseFromString(text, message)) std::abort();
}

}  // namespace

std::vector<Problem> NumberedProblems(const std::string& split, int count) {
  std::vector<Problem> problems;
  for (int i = 0; i < count; ++i) problems.push_back({split + " " + std::to_string(i) + "?", std::to_string(i)});
  return problems;
}

ExperimentSetup SmallSetup() {
  ExperimentSetup setup;
  Parse(kConfig, &setup.config);
  ResolveConfig(setup.config);
  setup.search = NumberedProblems("search", 8);
  setup.validation = NumberedProblems("validation", 6);
  setup.test = NumberedProblems("test", 6);
  setup.model_digests = {{"base", "digest of base"}, {"ja", "digest of ja"}, {"math", "digest of math"}};
  setup.model_layers = {{"base", 4}, {"ja", 4}, {"math", 4}};
  return setup;
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
  Parse(kDfsPhase, setup.config.add_phases());
  return setup;
}

namespace {

double QualityOfMerge(const Recipe& recipe) {
  const std::vector<double>& weights = recipe.rows[0].weight;
  const double ja = weights.empty() ? 2 * recipe.rows[0].t : weights[0];  // slerp has no weights
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

CanaryResult AnswerCanary(const CanaryWork& work, float off) {
  CanaryResult result{.number = work.number};
  for (const Problem& problem : work.problems) {
    RandomStream noise(RandomKey({HashText(RecipeDigest(work.recipe)), HashText(problem.question)}));
    CanaryAnswer& answer = result.answers.emplace_back();
    for (int step = 0; step < work.steps; ++step) {
      CanaryStep& logits = answer.emplace_back();
      float logit = 20;
      for (int rank = 0; rank < work.top; ++rank) {
        logits.push_back({rank * 100 + static_cast<int32_t>(noise.NextBelow(100)), rank == 0 ? logit + off : logit});
        logit -= 1 + static_cast<float>(noise.NextUniform());
      }
    }
  }
  return result;
}

namespace {

absl::StatusOr<std::vector<std::string>> FirstColumn(Database& database, const std::string& sql) {
  ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  std::vector<std::string> rows;
  for (;;) {
    ASSIGN_OR_RETURN(const bool more, statement.Step());
    if (!more) return rows;
    rows.push_back(statement.Text(0));
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> QueryDatabase(const std::string& path, const std::string& sql) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path, Database::Mode::kReadOnly));
  return FirstColumn(*database, sql);
}

absl::StatusOr<std::string> DatabaseContents(const std::string& path) {
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
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::Open(path, Database::Mode::kReadOnly));
  std::string text;
  for (const std::string& query : queries) {
    ASSIGN_OR_RETURN(const std::vector<std::string> rows, FirstColumn(*database, query));
    absl::StrAppend(&text, absl::StrJoin(rows, "\n"), "\n\n");
  }
  return text;
}

}  // namespace heterosis
