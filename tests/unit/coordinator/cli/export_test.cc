// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator export`: what it writes is read back as the same merge.
#include "coordinator/cli/export.h"

#include <gmock/gmock.h>

#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/genome/mergekit_yaml.h"
#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ExportTest : public CommandTest {
 protected:
  absl::Status Run(int64_t trial, const std::string& format) {
    return Export({.database = path_, .trial = trial, .format = format, .out = out_});
  }
  std::string Written() { return ReadFile(out_).value_or("nothing"); }

  const std::string out_ = folder_ / "merge.out";
};

TEST_F(ExportTest, ARecipeIsReadBackWithItsDigest) {
  ASSERT_TRUE(Run(5, "recipe").ok());
  const Recipe recipe = RecipeFromJson(ReadJsonFile(out_).value()).value();
  EXPECT_EQ(recipe, MergeRecipe(0.25, 0.75));
  EXPECT_EQ(RecipeDigest(recipe), store_->Genome(5)->recipe_digest);
}

TEST_F(ExportTest, AMergekitFileIsReadBackAsTheSameMergeOfTheSameFolders) {
  ASSERT_TRUE(Run(5, "mergekit").ok());
  EXPECT_THAT(Written(), StartsWith("# Experiment \"small\", trial 5: phase \"ps\", generation 0, candidate 1\n"));
  const MergekitFile file = MergekitFile::Read(out_).value();
  EXPECT_THAT(file.models(), ElementsAre(NamedModel{"math", "/models/math"}, NamedModel{"ja", "/models/ja"},
                                         NamedModel{"base", "/models/base"}));
  Recipe recipe = file.ToRecipe({.num_layers = 1, .tensors = {"model.norm.weight"}}).value();
  const Recipe original = MergeRecipe(0.25, 0.75);
  ASSERT_EQ(recipe.rows.size(), 1u);
  EXPECT_EQ(recipe.rows[0].weight, original.rows[0].weight);
  EXPECT_EQ(recipe.rows[0].density, original.rows[0].density);
  recipe.rows = original.rows;  // the pattern is now the tensor's name
  EXPECT_EQ(recipe, original);
}

TEST_F(ExportTest, AParentIsExportedToo) {
  ASSERT_TRUE(Run(1, "mergekit").ok());
  EXPECT_THAT(Written(), StartsWith("# Experiment \"small\", trial 1: the parent \"math\"\n"));
  EXPECT_THAT(Written(), HasSubstr("merge_method: linear"));
  EXPECT_THAT(Written(), HasSubstr("/models/math"));
}

TEST_F(ExportTest, AnotherTrialOfTheGenomeGivesTheSameMerge) {
  ASSERT_TRUE(Run(10, "recipe").ok());
  const std::string tested = Written();
  ASSERT_TRUE(Run(5, "recipe").ok());
  EXPECT_EQ(Written(), tested);
}

TEST_F(ExportTest, AFileThatIsThereIsReplacedWhole) {
  ASSERT_TRUE(WriteFileAtomic(out_, std::string(100'000, 'x')).ok());
  InitLogging("coordinator", LogFormat::kText, /*verbose=*/false);
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(Run(5, "recipe").ok());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("replaced " + out_));
  EXPECT_TRUE(ReadJsonFile(out_).ok());
}

TEST_F(ExportTest, WrongCallsLeaveNothingBehind) {
  EXPECT_EQ(Run(5, "gguf").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Run(99, "recipe").code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(FileExists(out_));
  EXPECT_FALSE(Export({.database = path_, .trial = 5, .format = "recipe", .out = folder_ / "no/folder"}).ok());
}

}  // namespace
}  // namespace heterosis
