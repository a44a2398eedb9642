// SPDX-License-Identifier: Apache-2.0
// `worker merge`: the three forms of a plan, the folder that is written, and the errors before and after the work.
#include "worker/cli/merge.h"

#include <map>

#include "common/genome/mergekit_yaml.h"
#include "common/genome/model_digest.h"
#include "coordinator/store/store.h"
#include "gmock/gmock.h"
#include "tests/unit/worker/cli/fixture.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/evaluate/recipe_merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class MergeCommandTest : public CommandTest {
 protected:
  void SetUp() override {
    WriteRecipe(DemoRecipe());
    command_.recipe = folder_ / "recipe.json";
    command_.models = DemoModels();
    command_.out = folder_ / "out";
  }
  void WriteRecipe(const Recipe& recipe) { Write("recipe.json", JsonText(RecipeToJson(recipe))); }

  std::string Error() { return std::string(MergeToFolder(command_).message()); }

  // Merges into a folder of this name and gives its weights' bytes.
  std::string Weights(const std::string& name) {
    command_.out = folder_ / name;
    const absl::Status status = MergeToFolder(command_);
    EXPECT_TRUE(status.ok()) << status;
    return Read(name + "/model.safetensors");
  }

  // A database with one trial, of the demo's recipe; `digest` is what it says of the model ja.
  void WriteDatabase(const std::string& digest) {
    auto store = Store::Open({.path = folder_ / "run.db"}).value();
    ExperimentRecord experiment;
    experiment.name = "demo-run";
    const std::string demo = std::filesystem::absolute("deploy/demo/models").string();
    experiment.config = R"({"name":"demo-run","models":[)";
    for (const std::string name : {"base", "ja", "math"}) {
      experiment.config += R"({"name":")" + name + R"(","path":")" + demo + "/" + name + R"("},)";
      experiment.models.push_back(
          {name, name == "ja" ? digest : ModelDigest(DemoModel(name)).value(), name == "base" ? "base" : "source"});
    }
    experiment.config.back() = ']';
    experiment.config += R"(,"base":"base"})";
    experiment.phases = {{0, "ps", 2, 1, 1}};
    experiment.search = experiment.test = {{"1+1?", "2"}};
    ASSERT_TRUE(store->CreateExperiment(experiment, 1).ok());
    GenomeRecord genome;
    genome.genome = 1;
    genome.phase = 0;
    genome.generation = 4;
    genome.genes = {0.5, 0.5};
    genome.recipe = DemoRecipe();
    genome.recipe_digest = RecipeDigest(genome.recipe);
    TrialRecord trial;
    trial.trial = 1;
    trial.genome = 1;
    trial.samples = {Split::kSearch, {0}, SampleSetDigest(Split::kSearch, {0})};
    trial.shards = 1;
    const absl::Status status =
        store->CommitStage({.stage = {.stage = 0, .kind = StageKind::kGeneration, .phase = 0, .generation = 4},
                            .genomes = {genome},
                            .trials = {trial}},
                           2);
    ASSERT_TRUE(status.ok()) << status;
    command_.recipe = "";
    command_.database = folder_ / "run.db";
    command_.trial = 1;
    command_.models = {};
  }

  MergeCommand command_;
};

// DESIGN.md invariant 4: the exported checkpoint has the bytes that a trial computes with.
TEST_F(MergeCommandTest, TheFolderHasTheBytesThatATrialComputesWith) {
  ASSERT_FALSE(Weights("out").empty());
  const auto checkpoint = Checkpoint::Open(folder_ / "out").value();
  ModelLibrary library(DemoModels());
  const RecipeMerger merging = MakeRecipeMerger(ShapeOf(DemoRecipe()), library, 2).value();
  const WeightBuffers buffers = WeightBuffers::Allocate(merging.merger->output(), DType::kBFloat16).value();
  ASSERT_TRUE(merging.merger->Merge(DemoRecipe(), buffers.tensors()).ok());
  ASSERT_EQ(checkpoint->tensors().size(), buffers.tensors().size());
  for (const MutableTensor& tensor : buffers.tensors()) {
    const ConstTensor* written = checkpoint->Find(tensor.name);
    ASSERT_NE(written, nullptr) << tensor.name;
    ASSERT_EQ(written->shape, tensor.shape);
    ASSERT_EQ(written->dtype, DType::kBFloat16);
    const size_t bytes = static_cast<size_t>(ElementCount(tensor.shape)) * 2;
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(written->data), bytes),
              std::string_view(reinterpret_cast<const char*>(tensor.data), bytes))
        << tensor.name;
  }
}

TEST_F(MergeCommandTest, TheFolderIsComplete) {
  ASSERT_TRUE(MergeToFolder(command_).ok());
  EXPECT_EQ(Json::parse(Read("out/config.json"))["dtype"], "bfloat16");
  for (const std::string name :
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "generation_config.json"}) {
    EXPECT_EQ(Read("out/" + name), *ReadFile(DemoModel("base") + "/" + name)) << name;
  }
  const absl::StatusOr<Recipe> recipe = RecipeFromJson(*ParseJson(Read("out/heterosis_recipe.json")));
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(*recipe, DemoRecipe());
  EXPECT_THAT(
      Read("out/README.md"),
      AllOf(testing::StartsWith("---\nbase_model:\n- \"base\"\n- \"ja\"\n- \"math\"\nlibrary_name: transformers\n"),
            HasSubstr("- merge\n"), HasSubstr("| method | `dare_ties` |"), HasSubstr("mergekit_config.yml")));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_ / "out")) ++files;
  EXPECT_EQ(files, 9);  // those, config.json, mergekit_config.yml and the weights: no temporary ones
}

TEST_F(MergeCommandTest, TheMergekitFileOfAMergeGivesTheSameBytes) {
  const std::string weights = Weights("out");
  command_.recipe = "";
  command_.models = {};
  command_.mergekit = folder_ / "out/mergekit_config.yml";
  EXPECT_EQ(Weights("again"), weights);
}

TEST_F(MergeCommandTest, ATrialOfADatabaseIsItsRecipeOverItsModels) {
  const std::string weights = Weights("out");
  WriteDatabase(ModelDigest(DemoModel("ja")).value());
  EXPECT_EQ(Weights("from_trial"), weights);
  EXPECT_THAT(Read("from_trial/README.md"),
              HasSubstr("It is trial 1 of the experiment `demo-run`: phase `ps`, generation 4."));
}

TEST_F(MergeCommandTest, AModelThatChangedSinceTheRunIsRefused) {
  WriteDatabase("another digest");
  const absl::Status status = MergeToFolder(command_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("models/ja: is not the model \"ja\""), HasSubstr("--model ja=FOLDER")));
  EXPECT_FALSE(std::filesystem::exists(command_.out));
}

TEST_F(MergeCommandTest, AnUnknownTrialIsAnErrorThatSaysWhichThereAre) {
  WriteDatabase(ModelDigest(DemoModel("ja")).value());
  command_.trial = 77;
  EXPECT_THAT(Error(), HasSubstr("no trial 77; there are 1 to 1"));
  command_.database = folder_ / "no.db";
  EXPECT_THAT(Error(), HasSubstr("no.db"));
}

TEST_F(MergeCommandTest, WantsExactlyOneForm) {
  command_.mergekit = "x.yml";
  EXPECT_THAT(Error(), HasSubstr("exactly one of --recipe FILE, --mergekit FILE, or --db FILE with --trial ID"));
  command_.mergekit = command_.recipe = "";
  EXPECT_THAT(Error(), HasSubstr("exactly one of"));
}

TEST_F(MergeCommandTest, AFolderThatIsNotEmptyIsRefusedBeforeTheWork) {
  std::filesystem::create_directories(folder_ / "out");
  Write("out/precious", "data");
  command_.recipe = "not even read";
  const absl::Status status = MergeToFolder(command_);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not empty, and nothing is overwritten"));
  EXPECT_EQ(Read("out/precious"), "data");
  command_.out = folder_ / "out/precious";
  EXPECT_THAT(Error(), HasSubstr("exists and is no folder"));
}

TEST_F(MergeCommandTest, AllModelsWhoseFoldersAreNotKnownAreTold) {
  command_.models.erase("ja");
  command_.models.erase("math");
  const absl::Status status = MergeToFolder(command_);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("add --model ja=FOLDER --model math=FOLDER"));
  command_.models = DemoModels();
  command_.models["math"] = "no/such/folder";
  EXPECT_THAT(Error(), HasSubstr("no/such/folder: no such model folder"));
  EXPECT_FALSE(std::filesystem::exists(command_.out));
}

TEST_F(MergeCommandTest, ABrokenRecipeIsAnErrorThatNamesItsFile) {
  Write("recipe.json", "{}");
  EXPECT_THAT(Error(), HasSubstr("recipe.json: \"version\""));
  Write("recipe.json", "[");
  EXPECT_THAT(Error(), HasSubstr("recipe.json"));
  Recipe recipe = DemoRecipe();
  recipe.rows[0].weight = {1};
  WriteRecipe(recipe);
  EXPECT_THAT(Error(), HasSubstr("recipe.json"));
}

TEST_F(MergeCommandTest, WhatMergekitCannotSayIsLeftOut) {
  Recipe recipe = DemoRecipe();
  recipe.rows[0].match = {"model.layers.*.mlp.*"};
  WriteRecipe(recipe);
  ASSERT_TRUE(MergeToFolder(command_).ok());
  EXPECT_FALSE(FileExists(folder_ / "out/mergekit_config.yml"));
  EXPECT_THAT(Read("out/README.md"), Not(HasSubstr("mergekit_config.yml")));
}

}  // namespace
}  // namespace heterosis
