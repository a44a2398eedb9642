// SPDX-License-Identifier: Apache-2.0
// Phases in data-flow space: what a config may say, and each mistake with its line and remedy.
#include "common/config/dfs_options.h"
#include "gmock/gmock.h"
#include "tests/unit/common/config/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Lines 34 to 41 of the config.
constexpr std::string_view kDfsPhase = R"(  - name: dfs
    space: dfs
    path:
      sources: [{phase: ps}, {model: math}]
      repeats: 2
      scales: slot
      max_hops: 12
    budget: {generations: 2}
)";

class DfsConfigTest : public ConfigTest {
 protected:
  std::string Sound() const { return std::string(kSoundConfig) + std::string(kDfsPhase); }
  std::string Changed(std::string_view from, std::string_view to) const {
    std::string text = Sound();
    const size_t at = text.rfind(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  }
};

TEST_F(DfsConfigTest, PathOfAPhasesWinnerAndAModelIsSound) {
  v1::Experiment config;
  Write("c.yaml", Sound());
  EXPECT_THAT(Errors(Sound()), IsEmpty());
  const absl::StatusOr<v1::Experiment> read = ReadConfig(folder_ / "c.yaml");
  ASSERT_TRUE(read.ok()) << read.status();
  const DfsSpaceOptions options = DfsOptionsFromConfig(*read, read->phases(1), {{"base", 4}, {"ja", 4}, {"math", 4}});
  EXPECT_THAT(options.names, ElementsAre("ps", "math"));
  EXPECT_THAT(options.layers, ElementsAre(4, 4));
  EXPECT_EQ(options.repeats, 2);
  EXPECT_EQ(options.scales, HopScales::kSlot);
  EXPECT_EQ(options.scale_low, 0.7);
  EXPECT_EQ(options.scale_high, 1.3);
  EXPECT_EQ(options.max_hops, 12);
  EXPECT_EQ(read->phases(0).optimizer().kind(), v1::Optimizer::CMA);
  EXPECT_EQ(read->phases(1).optimizer().kind(), v1::Optimizer::MIXED);
  EXPECT_FALSE(read->phases(1).has_merge()) << "defaults of merges are none of its business";
}

TEST_F(DfsConfigTest, ModelsOfAPathMayDifferInDepthButNotInWidth) {
  WriteModel("deep", R"({"num_hidden_layers": 9, "hidden_size": 96})");
  WriteModel("base", R"({"num_hidden_layers": 4, "hidden_size": 96})");
  WriteModel("math", R"({"num_hidden_layers": 4, "hidden_size": 96})");
  std::string text = Changed("{model: math}", "{model: deep}");
  text.insert(text.find("  - {name: math"), "  - {name: deep, path: models/deep}\n");
  text.replace(text.find("method: dare_ties"), 17, "method: dare_ties\n      sources: [ja, math]");
  EXPECT_THAT(Errors(text), IsEmpty());
  WriteModel("deep", R"({"num_hidden_layers": 9, "hidden_size": 128})");
  EXPECT_THAT(Errors(text),
              ElementsAre("c.yaml:8: hidden_size of models/deep is 128, but that of models/base is 96; only "
                          "models of one shape can be merged"));
}

TEST_F(DfsConfigTest, WrittenPathIsNoParent) {
  WriteModel("math", R"({"num_hidden_layers": 4, "heterosis_path": [0, 1, 2, 3]})");
  EXPECT_THAT(
      Errors(Sound()),
      ElementsAre("c.yaml:8: models/math/config.json: is a path through layers that Heterosis wrote, which cannot "
                  "be merged again; name its own source models instead"));
}

TEST_F(DfsConfigTest, EachMistakeIsToldOnceWithItsLineAndRemedy) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"{phase: ps}", "{phase: sp}",
       "c.yaml:37: phases[1].path.sources[0].phase: there is no ps phase \"sp\" before this one; did you mean \"ps\"?"},
      {"{model: math}", "{model: maths}",
       "c.yaml:37: phases[1].path.sources[1].model: there is no model \"maths\"; did you mean \"math\"?"},
      {"{model: math}", "{model: math, phase: ps}",
       "c.yaml:37: phases[1].path.sources[1] must be either {model: NAME} or {phase: NAME}"},
      {", {model: math}", "", "c.yaml:36: phases[1].path: a path needs at least two models"},
      {"repeats: 2", "repeats: 0", "c.yaml:38: phases[1].path.repeats must be from 1 to 64, but is \"0\""},
      {"scales: slot", "scales: none\n      scale: [0.5, 2]", "c.yaml:40: `scales: none` has no scale; remove it"},
      {"scales: slot", "scale: 1",
       "c.yaml:39: phases[1].path.scale must be a range; for unscaled paths say `scales: none`"},
      {"space: dfs", "space: ps", "c.yaml:36: a ps phase has no `path`; remove it or say `space: dfs`"},
      {"    budget: {gen", "    merge: {method: ties}\n    budget: {gen",
       "c.yaml:41: a dfs phase has no `merge`; remove it or say `space: ps`"},
  };
  for (const auto& [from, to, error] : cases) {
    EXPECT_THAT(Errors(Changed(from, to)), ::testing::Contains(error)) << to;
  }
}

}  // namespace
}  // namespace heterosis
