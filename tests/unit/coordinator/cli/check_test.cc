// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator check` on small models and data on disk.
#include "coordinator/cli/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/base/file.h"
#include "tests/support/shared.h"
#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kConfig[] = R"(name: tiny
seed: 3
models:
  - {name: base, path: models/base}
  - {name: ja, path: models/ja}
  - {name: math, path: models/math}
base: base
data:
  search: {path: search.jsonl}
  validation: {path: validation.jsonl}
  test: {path: test.jsonl}
task:
  prompt: {template: plain}
  decoding: {max_new_tokens: 20}
  language: {expect: ja}
phases:
  - name: ps
    merge: {method: dare_ties, granularity: layer, weight: [0, 2]}
    optimizer: {population: 6}
    budget: {trials: 20}
    samples: {per_generation: 4}
evaluation: {shard_size: 3}
)";

class CheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* model : {"base", "ja", "math"}) {
      std::filesystem::create_directories(folder_ / (std::string("models/") + model));
      Write(std::string("models/") + model + "/config.json", R"({"num_hidden_layers": 2})");
      Write(std::string("models/") + model + "/model.safetensors", model);
    }
    WriteProblems("search", 5);
    WriteProblems("validation", 2);
    WriteProblems("test", 3);
    Write("tiny.yaml", kConfig);
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }
  void WriteProblems(const std::string& split, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text +=
          "{\"question\": \"" + split + " " + std::to_string(i) + "\", \"answer\": \"" + std::to_string(i) + "\"}\n";
    }
    Write(split + ".jsonl", text);
  }

  TemporaryFolder folder_;
};

TEST_F(CheckTest, ASoundConfigIsPrintedResolved) {
  const auto checked = Check(folder_ / "tiny.yaml");
  ASSERT_TRUE(checked.ok()) << checked.status();
  const std::string& text = *checked;
  EXPECT_THAT(text, HasSubstr("experiment tiny, seed 3\n"));
  EXPECT_THAT(LineWith(text, folder_ / "models/base"), HasSubstr("base    2"));
  EXPECT_THAT(LineWith(text, folder_ / "models/math"), HasSubstr("source  2"));
  EXPECT_THAT(text, HasSubstr("problems: 5 search, 2 validation, 3 test\n"));
  EXPECT_THAT(text, HasSubstr("at most 20 new tokens"));
  EXPECT_THAT(text, HasSubstr("P(ja) > 0.5"));
  EXPECT_THAT(text, HasSubstr("phase ps: ps space, dare_ties of ja, math over base, by layer\n"));
  // Weight and density of two sources in the embedding, two layers and the head.
  EXPECT_THAT(text, HasSubstr("16 genes:\n"));
  EXPECT_THAT(LineWith(text, "ja.weight"), HasSubstr("4"));
  EXPECT_THAT(LineWith(text, "ja.weight"), HasSubstr("[0, 2]  1"));
  EXPECT_THAT(LineWith(text, "math.density"), HasSubstr("[0, 1]  0.5"));
  EXPECT_THAT(text, HasSubstr("population 6 x 4 generations = 24 trials, each on 4 search problems in 2 shards\n"));
  EXPECT_THAT(text, HasSubstr("the best 5 and the mean again on the validation problems\n"));
  // Parents 2 x 10; trials and x0 (24 + 1) x 4; selection 6 x 2; baselines 2 x 5 and the winner's test 3.
  EXPECT_THAT(text, HasSubstr("at most 145 answers to decode"));
}

TEST_F(CheckTest, LimitsThatForbidTheFirstModelsOwnPathAreWarnedOf) {
  const auto with_limits = [this](const std::string& limits) {
    const std::string config = kConfig;
    Write("path.yaml",
          config.substr(0, config.find("phases:")) +
              "phases:\n  - name: dfs\n    space: dfs\n    path: {sources: [{model: ja}, {model: math}], " + limits +
              "}\n    budget: {generations: 2}\n");
    const auto checked = Check(folder_ / "path.yaml");
    EXPECT_TRUE(checked.ok()) << checked.status();
    return checked.value_or("");
  };
  EXPECT_THAT(with_limits("max_hops: 1"),
              HasSubstr("  warning: max_hops is 1, but ja alone has 2 layers: its own path, "
                        "from which the search starts, is infeasible\n"));
  EXPECT_THAT(with_limits("max_distinct_layers: 1"), HasSubstr("  warning: max_distinct_layers is 1, but"));
  EXPECT_THAT(with_limits("max_hops: 2, max_distinct_layers: 2"), Not(HasSubstr("warning")));
  EXPECT_THAT(with_limits("repeats: 2"), Not(HasSubstr("warning")));
}

TEST_F(CheckTest, ErrorsOfTheConfigAreTheErrorsOfCheck) {
  std::string config = kConfig;
  config.replace(config.find("population"), 10, "poplation");
  Write("tiny.yaml", config);
  const absl::Status status = Check(folder_ / "tiny.yaml").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tiny.yaml:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("poplation"));
}

TEST_F(CheckTest, ProblemsThatStandInTwoSplitsAreFound) {
  std::filesystem::copy_file(folder_ / "search.jsonl", folder_ / "test.jsonl",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Check(folder_ / "tiny.yaml").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CheckTest, AMissingConfigIsNamed) {
  const absl::Status status = Check(folder_ / "no.yaml").status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("no.yaml"));
}

}  // namespace
}  // namespace heterosis
