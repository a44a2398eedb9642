// SPDX-License-Identifier: Apache-2.0
// `worker merge` on a path: an unscaled one becomes a plain deeper model, a scaled one a folder that stores each layer
// once; either computes what a trial of the recipe computes, bit for bit.
#include <algorithm>
#include <numeric>

#include "gmock/gmock.h"
#include "tests/unit/worker/cli/fixture.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/cli/merge.h"
#include "worker/cli/model_card.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/parts_merger.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class MergePathTest : public CommandTest {
 protected:
  void SetUp() override {
    command_.recipe = folder_ / "recipe.json";
    command_.models = DemoModels();
    command_.out = folder_ / "out";
  }

  // Through a merge of all three and the arithmetic expert; one layer twice, one left out.
  static Recipe Path(bool scaled, ScaleTarget target = ScaleTarget::kStream) {
    Recipe recipe;
    recipe.parts = {DemoRecipe(), SingleModelRecipe("math", "math", DType::kBFloat16)};
    recipe.tokenizer = "base";
    recipe.out_dtype = DType::kBFloat16;
    recipe.scale_applies_to = target;
    for (const auto& [part, layer] :
         {std::pair{0, 0}, {0, 1}, {1, 4}, {0, 3}, {1, 4}, {0, 4}, {0, 5}, {0, 6}, {0, 7}}) {
      recipe.path.push_back({part, layer, scaled ? 1 + 0.125 * static_cast<double>(recipe.path.size() % 3) : 1});
    }
    return recipe;
  }

  void Export(const Recipe& recipe) {
    Write("recipe.json", JsonText(RecipeToJson(recipe)));
    const absl::Status status = MergeToFolder(command_);
    ASSERT_TRUE(status.ok()) << status;
  }

  static std::vector<int32_t> Tokens() {
    std::vector<int32_t> tokens(30);
    std::iota(tokens.begin(), tokens.end(), 100);
    return tokens;
  }

  // What a trial computes.
  static std::vector<float> TrialLogits(const Recipe& recipe) {
    ModelLibrary library(DemoModels());
    PartsMerger merger = PartsMerger::Create(recipe, library, 2).value();
    const auto model = Model::Create(merger.config(), OpenCpu(2), {.stored = recipe.out_dtype}).value();
    for (size_t part = 0; part < merger.parts(); ++part) {
      EXPECT_TRUE(merger.Merge(recipe, part, model->slots()).ok());
    }
    EXPECT_TRUE(model->WeightsChanged().ok());
    EXPECT_TRUE(model->SetPath(merger.PathOf(recipe).value()).ok());
    return model->Logits(Tokens()).value();
  }

  std::vector<float> FolderLogits() {
    const auto loaded = OpenModel(command_.out);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return LoadForDecoding(*loaded, OpenCpu(2), DType::kFloat32).value()->Logits(Tokens()).value();
  }

  MergeCommand command_;
};

TEST_F(MergePathTest, WithoutScalesItIsAPlainDeeperModel) {
  Export(Path(false));
  const Json config = Json::parse(Read("out/config.json"));
  EXPECT_EQ(config["num_hidden_layers"], 9);
  EXPECT_EQ(config["architectures"], Json({"MistralForCausalLM"}));
  EXPECT_EQ(config["model_type"], "mistral");
  EXPECT_FALSE(config.contains("heterosis_path"));
  EXPECT_FALSE(FileExists(folder_ / "out/modeling_heterosis.py"));
  EXPECT_EQ(Checkpoint::Open(command_.out).value()->config().num_layers, 9);
  EXPECT_EQ(FolderLogits(), TrialLogits(Path(false)));
  EXPECT_THAT(Read("out/README.md"), Not(HasSubstr("trust_remote_code")));
}

TEST_F(MergePathTest, WithScalesEachLayerIsStoredOnce) {
  for (const ScaleTarget target : {ScaleTarget::kStream, ScaleTarget::kBranch}) {
    command_.out = folder_ / std::string(Name(target));
    Export(Path(true, target));
    const auto checkpoint = Checkpoint::Open(command_.out).value();
    EXPECT_EQ(checkpoint->config().num_layers, 8);
    std::vector<int> layers;
    for (const PathHop& hop : checkpoint->config().path.hops) layers.push_back(hop.layer);
    EXPECT_THAT(layers, ElementsAre(0, 1, 2, 3, 2, 4, 5, 6, 7));
    EXPECT_EQ(FolderLogits(), TrialLogits(Path(true, target)));
    EXPECT_NE(FolderLogits(), TrialLogits(Path(false)));
  }
  EXPECT_NE(TrialLogits(Path(true, ScaleTarget::kStream)), TrialLogits(Path(true, ScaleTarget::kBranch)));
}

TEST_F(MergePathTest, ThroughUnmergedModelsAndWithoutScalesItHasAFileForMergekit) {
  Recipe recipe = Path(false);
  recipe.parts[0] = SingleModelRecipe("base", "base", DType::kBFloat16);
  Export(recipe);
  EXPECT_THAT(Read("out/mergekit_config.yml"), HasSubstr("merge_method: passthrough\n"));
  EXPECT_THAT(Read("out/README.md"),
              AllOf(HasSubstr("`mergekit_config.yml` says the same to mergekit.\n"), Not(HasSubstr("random masks"))));
  recipe.path[2].scale = 1.5;  // which mergekit cannot do
  command_.out = folder_ / "scaled";
  Export(recipe);
  EXPECT_FALSE(FileExists(folder_ / "scaled/mergekit_config.yml"));
  command_.out = folder_ / "merged";  // a part is a merge itself
  Export(Path(false));
  EXPECT_FALSE(FileExists(folder_ / "merged/mergekit_config.yml"));
}

TEST_F(MergePathTest, TheCardDrawsThePathAndNamesTheParents) {
  Export(Path(true));
  EXPECT_THAT(Read("out/README.md"),
              AllOf(testing::StartsWith("---\nbase_model:\n- \"base\"\n- \"ja\"\n- \"math\"\nlibrary_name"),
                    HasSubstr("| layers A | `dare_ties` of base, ja, math |\n| layers B | math |\n"),
                    HasSubstr("9 hops: `A00 x1.12 A01 x1.25 B04 A03 x1.12 B04 x1.25 A04 A05 x1.12 A06 x1.25 A07`"),
                    HasSubstr("the hidden state that enters its hop"), HasSubstr("trust_remote_code=True"),
                    HasSubstr("every weight and hop")));
  EXPECT_THAT(Read("out/modeling_heterosis.py"), HasSubstr("class HeterosisForCausalLM(MistralForCausalLM)"));
  EXPECT_EQ(RecipeFromJson(*ParseJson(Read("out/heterosis_recipe.json"))).value(), Path(true));
  EXPECT_EQ(Read("out/tokenizer.json"), *ReadFile(DemoModel("base") + "/tokenizer.json"));
}

TEST_F(MergePathTest, TheParentsOfAPathAreThoseOfItsParts) {
  EXPECT_THAT(ParentsOf(Path(true)), ElementsAre("base", "ja", "math"));
  command_.models.erase("ja");
  command_.models.erase("base");
  Write("recipe.json", JsonText(RecipeToJson(Path(true))));
  EXPECT_THAT(std::string(MergeToFolder(command_).message()), HasSubstr("add --model base=FOLDER --model ja=FOLDER"));
}

TEST_F(MergePathTest, APathThatTheModelsDoNotHaveIsRefusedBeforeAnythingIsWritten) {
  Recipe recipe = Path(true);
  recipe.path[2].layer = 8;
  Write("recipe.json", JsonText(RecipeToJson(recipe)));
  EXPECT_THAT(std::string(MergeToFolder(command_).message()), HasSubstr("hop 2 of the path names layer 8 of part 1"));
  EXPECT_FALSE(std::filesystem::exists(command_.out));
}

}  // namespace
}  // namespace heterosis
