// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator show`.
#include "coordinator/cli/show.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ShowTest : public CommandTest {
 protected:
  std::string Run(int64_t trial, Format format) {
    const auto text = Show({.database = path_, .trial = trial, .format = format});
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  Json Document(int64_t trial) {
    const auto json = ParseJson(Run(trial, Format::kJson));
    EXPECT_TRUE(json.ok()) << json.status();
    return json.value_or(Json());
  }
};

TEST_F(ShowTest, JsonHasTheTrialItsRecipeAndEveryAnswer) {
  const Json document = Document(5);
  EXPECT_EQ(document["trial"], 5);
  EXPECT_EQ(document["state"], "done");
  EXPECT_EQ(document["purpose"], "search");
  EXPECT_EQ(document["split"], "search");
  EXPECT_EQ(document["samples"], 2);
  EXPECT_EQ(document["score"], 1.0);
  EXPECT_EQ(document["same_as"], nullptr);
  EXPECT_EQ(document["phase"], "ps");
  EXPECT_EQ(RecipeFromJson(document["recipe"]).value(), MergeRecipe(0.25, 0.75));
  ASSERT_EQ(document["results"].size(), 2u);
  EXPECT_EQ(document["results"][1]["question"], "search 3?");
  EXPECT_EQ(document["results"][1]["expected"], "13");
  EXPECT_EQ(document["results"][1]["text"], "so the answer is 4");
  EXPECT_EQ(document["results"][1]["finish"], "stop");
  ASSERT_EQ(document["shards"].size(), 2u);
  EXPECT_EQ(document["shards"][0]["worker"], "gpu-box");
}

TEST_F(ShowTest, JsonOfAParentHasNoGeneration) {
  const Json document = Document(1);
  EXPECT_EQ(document["origin"], "parent");
  EXPECT_EQ(document["label"], "math");
  EXPECT_EQ(document["generation"], nullptr);
  EXPECT_EQ(document["genome"], Json::array());
}

TEST_F(ShowTest, JsonShowsFailures) {
  const Json document = Document(3);
  ASSERT_EQ(document["failures"].size(), 1u);
  EXPECT_EQ(document["failures"][0]["failure"], "infra");
  EXPECT_EQ(document["failures"][0]["message"], "the worker fell silent");
}

TEST_F(ShowTest, TheTableTellsTheStoryOfATrial) {
  const std::string text = Run(3, Format::kTable);
  EXPECT_THAT(text, StartsWith("trial 3: done, baseline on 2 search problems, score 50.0%\n"));
  EXPECT_THAT(text, HasSubstr("genome: mean, phase ps, generation 0, candidate 0\n"));
  EXPECT_THAT(text, HasSubstr("merge: dare_ties, base base, tokenizer base"));
  EXPECT_THAT(text, HasSubstr("shard 0 attempt 1000 on gpu-box: infra: the worker fell silent\n"));
  EXPECT_THAT(LineWith(text, "search 1?"), StartsWith("+"));
  EXPECT_THAT(LineWith(text, "search 3?"), StartsWith("-"));
  EXPECT_THAT(text, HasSubstr("(read: 4, right: 11, stop)"));
}

// A trial on a path of four hops with a scale: done, and what workers and limits said of such paths.
class ShowPathTest : public ShowTest {
 protected:
  Recipe PathRecipe() {
    Recipe recipe;
    recipe.tokenizer = "ja";
    recipe.parts = {MergeRecipe(0.25, 0.75), SingleModelRecipe("math", "math", DType::kFloat32)};
    recipe.scale_applies_to = ScaleTarget::kBranch;
    recipe.path = {{0, 0}, {0, 1}, {1, 7, 0.93}, {0, 2}};
    return recipe;
  }

  // Adds a generation with one candidate, and its trial, 11.
  void Begin(TrialState state, const std::string& failure) {
    GenomeRecord genome = Merge(20, 1, 0, 0, 0.25, 0.75);
    genome.recipe = PathRecipe();
    genome.recipe_digest = RecipeDigest(genome.recipe);
    TrialRecord trial = TrialOf(11, 20, Purpose::kSearch, Samples(Split::kSearch, {1, 3}));
    trial.state = state;
    trial.failure = failure;
    if (state == TrialState::kInfeasible) trial.shards = 0;
    const StageCommit generation = {.stage = {.kind = StageKind::kGeneration, .phase = 1, .generation = 0},
                                    .genomes = {genome},
                                    .trials = {trial},
                                    .snapshot = "state"};
    ASSERT_TRUE(Stage(generation).ok());
    if (state == TrialState::kPending) Score(trial, 1);
  }
};

TEST_F(ShowPathTest, ThePathIsDrawnLayerByLayer) {
  Begin(TrialState::kPending, "");
  const std::string text = Run(11, Format::kTable);
  EXPECT_THAT(text, StartsWith("trial 11: done, search on 2 search problems, score 50.0%\n"));
  EXPECT_THAT(text, HasSubstr("path of 4 hops, scales apply to the branch\n"
                              "  A: dare_ties of math, ja\n"
                              "  B: math\n"
                              "\nA00 A01 x0.93 B07 A02\n"));
  EXPECT_EQ(RecipeFromJson(Document(11)["recipe"]).value(), PathRecipe());
}

TEST_F(ShowPathTest, AnInfeasiblePathSaysWhy) {
  Begin(TrialState::kInfeasible, "4 hops, at most 3 are allowed");
  const std::string text = Run(11, Format::kTable);
  EXPECT_THAT(text, StartsWith("trial 11: infeasible, search on 2 search problems, score -\n"
                               "infeasible: 4 hops, at most 3 are allowed\n"));
  EXPECT_THAT(text, HasSubstr("A00 A01 x0.93 B07 A02\n"));
  EXPECT_EQ(Document(11)["state"], "infeasible");
  EXPECT_EQ(Document(11)["score"], nullptr);
}

TEST_F(ShowTest, ATrialThatSharesAnOutcomeSaysWhose) {
  EXPECT_THAT(Run(6, Format::kTable), HasSubstr("the same model on the same problems as trial 5"));
  EXPECT_EQ(Document(6)["same_as"], 5);
  EXPECT_EQ(Document(6)["results"].size(), 2u);
}

TEST_F(ShowTest, AnUnknownTrialIsAnError) {
  const absl::Status status = Show({.database = path_, .trial = 11}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("there are 1 to 10"));
}

}  // namespace
}  // namespace heterosis
