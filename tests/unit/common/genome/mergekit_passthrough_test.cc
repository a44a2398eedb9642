// SPDX-License-Identifier: Apache-2.0
// A path as a mergekit passthrough file: slices, scales as comments, and parts that no file can hold.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

const std::vector<NamedModel> kModels = {{"ja", "/models/ja"}, {"math", "/models/math"}};

Recipe Path(std::vector<Hop> hops) {
  Recipe recipe;
  recipe.tokenizer = "ja";
  recipe.parts = {SingleModelRecipe("ja", "ja", DType::kBFloat16), SingleModelRecipe("math", "math", DType::kBFloat16)};
  recipe.path = std::move(hops);
  return recipe;
}

std::string TextOf(const Recipe& recipe) {
  const absl::StatusOr<std::string> text = MergekitText(recipe, kModels);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

TEST(MergekitPassthrough, LayersThatFollowEachOtherAreOneSlice) {
  EXPECT_EQ(TextOf(Path({{0, 0}, {0, 1}, {1, 2}, {1, 3}, {0, 1}, {0, 2}})),
            "# A path found by Heterosis, as a mergekit configuration.\n"
            "merge_method: passthrough\n"
            "slices:\n"
            "  - sources:\n      - model: \"/models/ja\"\n        layer_range: [0, 2]\n"
            "  - sources:\n      - model: \"/models/math\"\n        layer_range: [2, 4]\n"
            "  - sources:\n      - model: \"/models/ja\"\n        layer_range: [1, 3]\n"
            "dtype: bfloat16\n");
}

TEST(MergekitPassthrough, ScalesAreCommentsWithAWarning) {
  const std::string text = TextOf(Path({{0, 0}, {0, 1, 0.5}, {0, 2}}));
  EXPECT_THAT(text, HasSubstr("without the scales in the comments (applied to the stream) the model is another one"));
  EXPECT_THAT(text, HasSubstr("layer_range: [1, 2]  # scale 0.5\n"));
  EXPECT_THAT(text, HasSubstr("layer_range: [2, 3]\n"));
}

TEST(MergekitPassthrough, PathThroughAMergeIsRefused) {
  Recipe recipe = Path({{0, 0}, {1, 1}, {0, 1}});
  recipe.parts[0].sources = {"ja", "math"};
  recipe.parts[0].rows[0].weight = {0.5, 0.5};
  EXPECT_THAT(Message(MergekitText(recipe, kModels).status()), HasSubstr("part A of the path is a merge itself"));
}

}  // namespace
}  // namespace heterosis
