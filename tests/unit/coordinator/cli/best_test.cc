// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator best`: the JSON document that scripts rely on (DESIGN.md section 4), the CSV and the table.
#include "coordinator/cli/best.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BestTest : public CommandTest {
 protected:
  std::string Run(Format format, int top = 10) {
    const auto text = Best({.database = path_, .top = top, .format = format});
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  Json Document(int top = 10) {
    const auto json = ParseJson(Run(Format::kJson, top));
    EXPECT_TRUE(json.ok()) << json.status();
    return json.value_or(Json());
  }
};

TEST_F(BestTest, JsonHasTheKeysOfTheContract) {
  const Json document = Document();
  EXPECT_THAT(Keys(document), ElementsAre("experiment", "state", "phases", "parents", "baselines", "genomes"));
  EXPECT_EQ(document["experiment"], "small");
  EXPECT_EQ(document["state"], "done");
  EXPECT_EQ(document["phases"][0]["name"], "ps");
  EXPECT_EQ(document["phases"][0]["dimension"], 2);
  EXPECT_THAT(Keys(document["parents"][0]), ElementsAre("name", "trial", "search", "validation", "test"));
  EXPECT_THAT(Keys(document["baselines"][0]), ElementsAre("name", "trial", "phase", "search", "validation", "test"));
  EXPECT_THAT(Keys(document["genomes"][0]), ElementsAre("trial", "phase", "generation", "origin", "label", "fitness",
                                                        "search", "validation", "test", "chosen", "genome", "recipe"));
}

TEST_F(BestTest, JsonScoresAreFractionsOrNull) {
  const Json document = Document();
  EXPECT_EQ(document["parents"][0]["name"], "math");
  EXPECT_EQ(document["parents"][0]["search"], 0.5);
  EXPECT_EQ(document["parents"][0]["validation"], nullptr);
  EXPECT_EQ(document["parents"][0]["test"], 0.5);
  const Json& best = document["genomes"][0];
  EXPECT_EQ(best["trial"], 5);
  EXPECT_EQ(best["phase"], "ps");
  EXPECT_EQ(best["generation"], 0);
  EXPECT_EQ(best["fitness"], 1.0);
  EXPECT_EQ(best["search"], nullptr);
  EXPECT_EQ(best["validation"], 0.5);
  EXPECT_EQ(best["test"], 1.0);
  EXPECT_EQ(best["chosen"], true);
  EXPECT_EQ(best["genome"], Json({0.25, 0.75}));
  EXPECT_EQ(RecipeFromJson(best["recipe"]).value(), MergeRecipe(0.25, 0.75));
}

TEST_F(BestTest, BaselinesAreNamedForScripts) {
  const Json baselines = Document()["baselines"];
  ASSERT_EQ(baselines.size(), 2u);
  EXPECT_EQ(baselines[0]["name"], "start");
  EXPECT_EQ(baselines[0]["test"], nullptr);
  EXPECT_EQ(baselines[1]["name"], "uniform");
  EXPECT_EQ(baselines[1]["phase"], "ps");
  EXPECT_EQ(baselines[1]["trial"], 4);
  EXPECT_EQ(baselines[1]["test"], 0.0);
}

TEST_F(BestTest, TopLimitsTheGenomesOnly) {
  const Json document = Document(1);
  EXPECT_EQ(document["genomes"].size(), 1u);
  EXPECT_EQ(document["parents"].size(), 2u);
  EXPECT_EQ(document["baselines"].size(), 2u);
  EXPECT_EQ(Document(100)["genomes"].size(), 4u);
}

TEST_F(BestTest, CsvHasALinePerParentBaselineAndGenome) {
  const std::vector<std::string> lines = Lines(Run(Format::kCsv, 1));
  ASSERT_EQ(lines.size(), 1u + 2 + 2 + 1);
  EXPECT_EQ(lines[0], "kind,name,trial,phase,generation,origin,fitness,search,validation,test,chosen\r");
  EXPECT_EQ(lines[1], "parent,math,1,,,parent,,0.5,,0.5,\r");
  EXPECT_EQ(lines[3], "baseline,start,3,ps,0,mean,0.5,,,,0\r");
  EXPECT_EQ(lines[4], "baseline,uniform,4,ps,0,injected,0,,,0,0\r");
  EXPECT_EQ(lines[5], "genome,,5,ps,0,sampled,1,,0.5,1,1\r");
}

TEST_F(BestTest, TheTableShowsParentsBaselinesAndTheWinnerWithItsInterval) {
  const std::string text = Run(Format::kTable);
  EXPECT_THAT(text, StartsWith("experiment small: done\nproblems: 4 search, 2 validation, 2 test; trials: "));
  EXPECT_THAT(LineWith(text, "parent (math)"), HasSubstr("50.0%"));
  EXPECT_NE(LineWith(text, "start (x0)"), "");
  EXPECT_THAT(LineWith(text, "uniform merge"), HasSubstr("0.0% [0.0, 65.8]"));
  const std::string winner = LineWith(text, "sampled");
  EXPECT_THAT(winner, StartsWith("*"));
  EXPECT_THAT(winner, HasSubstr("100.0% [34.2, 100.0]"));
  EXPECT_LT(text.find("parent (ja)"), text.find("start (x0)"));
  EXPECT_LT(text.find("uniform merge"), text.find("* "));
  EXPECT_THAT(text, HasSubstr("test is sealed: scored once, at the end, for parents, baselines and each phase's "
                              "winner"));
}

TEST_F(BestTest, TheTablesColumnsAreAligned) {
  const std::string text = Run(Format::kTable);
  const std::string heading = LineWith(text, "generation");
  for (const char* what : {"parent (math)", "start (x0)", "uniform merge", "sampled"}) {
    EXPECT_EQ(LineWith(text, what).find(what), heading.find("origin")) << what;
  }
}

TEST_F(BestTest, AFailedExperimentSaysWhy) {
  ASSERT_TRUE(store_->Finish({ExperimentState::kFailed, "every trial failed"}, Now()).ok());
  EXPECT_THAT(Run(Format::kTable), StartsWith("experiment small: failed (every trial failed)\n"));
  EXPECT_EQ(Document()["state"], "failed");
}

TEST_F(BestTest, AMissingDatabaseIsAnError) {
  EXPECT_EQ(Best({.database = folder_ / "no.db"}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
