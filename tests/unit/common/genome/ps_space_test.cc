// SPDX-License-Identifier: Apache-2.0
// The PS search space: its dimensions, what a genome decodes to, and genomes of known merges.
#include "common/genome/ps_space.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PsSpaceOptions ThreeSources(Granularity granularity) {
  PsSpaceOptions options;
  options.base = "mistral";
  options.sources = {"shisa", "wizard", "abel"};
  options.tokenizer = "shisa";
  options.granularity = granularity;
  options.num_layers = 32;
  return options;
}

PsSpaceOptions OneSource(MergeMethod method) {
  PsSpaceOptions options = ThreeSources(Granularity::kLayer);
  options.method = method;
  options.sources = {"shisa"};
  options.num_layers = 2;
  return options;
}

// 0.001, 0.002, ...: each gene's value tells which gene it is.
std::vector<double> Counting(int n) {
  std::vector<double> genome;
  for (int i = 1; i <= n; ++i) genome.push_back(i / 1000.0);
  return genome;
}

TEST(PsSpace, HasThePublishedDimensions) {
  EXPECT_EQ(PsSpace::Create(ThreeSources(Granularity::kModel))->dimension(), 6);
  EXPECT_EQ(PsSpace::Create(ThreeSources(Granularity::kLayer))->dimension(), (32 + 2) * 6);
  EXPECT_EQ(PsSpace::Create(ThreeSources(Granularity::kModule))->dimension(), (3 * 32 + 2) * 6);
  PsSpaceOptions groups = ThreeSources(Granularity::kGroup);
  groups.group_layers = 5;  // 6 groups of 5 and one of 2
  EXPECT_EQ(PsSpace::Create(groups)->dimension(), (7 + 2) * 6);
}

TEST(PsSpace, GenesGoGroupBySourceByParameter) {
  PsSpaceOptions options = OneSource(MergeMethod::kDareTies);
  options.weight = {0, 2, 1, std::nullopt};
  const PsSpace space = *PsSpace::Create(options);
  std::vector<std::string> names;
  for (const Gene& gene : space.genes()) names.push_back(gene.name);
  EXPECT_THAT(names, ElementsAre("embedding/shisa.weight", "embedding/shisa.density", "layer.0/shisa.weight",
                                 "layer.0/shisa.density", "layer.1/shisa.weight", "layer.1/shisa.density",
                                 "head/shisa.weight", "head/shisa.density"));
  EXPECT_EQ(space.genes()[0], (Gene{"embedding/shisa.weight", 0, 2, 1}));
  EXPECT_EQ(space.genes()[1], (Gene{"embedding/shisa.density", 0, 1, 0.5}));
}

TEST(PsSpace, DecodesEachTensorsParameters) {
  const PsSpace space = *PsSpace::Create(ThreeSources(Granularity::kLayer));
  const Recipe recipe = space.Decode(Counting(space.dimension()));
  ASSERT_TRUE(ValidateRecipe(recipe).ok());
  const ParameterRow* embedding = RowFor(recipe, "model.embed_tokens.weight");
  EXPECT_THAT(embedding->weight, ElementsAre(0.001, 0.003, 0.005));
  EXPECT_THAT(embedding->density, ElementsAre(0.002, 0.004, 0.006));
  EXPECT_THAT(RowFor(recipe, "model.layers.3.mlp.up_proj.weight")->weight, ElementsAre(0.025, 0.027, 0.029));
  EXPECT_THAT(RowFor(recipe, "model.layers.31.input_layernorm.weight")->density, ElementsAre(0.194, 0.196, 0.198));
  EXPECT_THAT(RowFor(recipe, "lm_head.weight")->weight, ElementsAre(0.199, 0.201, 0.203));
  EXPECT_EQ(RowFor(recipe, "lm_head.weight"), RowFor(recipe, "model.norm.weight"));
  EXPECT_EQ(RowFor(recipe, "model.layers.32.mlp.up_proj.weight"), nullptr);
}

TEST(PsSpace, ModulesPartALayer) {
  const PsSpace space = *PsSpace::Create(ThreeSources(Granularity::kModule));
  const Recipe recipe = space.Decode(Counting(space.dimension()));
  const auto first_weight = [&](std::string_view name) { return RowFor(recipe, name)->weight[0]; };
  EXPECT_EQ(first_weight("model.layers.1.self_attn.q_proj.weight"), 0.025);
  EXPECT_EQ(first_weight("model.layers.1.self_attn.q_norm.weight"), 0.025);
  EXPECT_EQ(first_weight("model.layers.1.mlp.gate_proj.weight"), 0.031);
  EXPECT_EQ(first_weight("model.layers.1.input_layernorm.weight"), 0.037);
  EXPECT_EQ(first_weight("model.layers.1.post_attention_layernorm.weight"), 0.037);
}

TEST(PsSpace, GroupsHoldLayersInARow) {
  PsSpaceOptions options = ThreeSources(Granularity::kGroup);
  options.group_layers = 5;
  const PsSpace space = *PsSpace::Create(options);
  const Recipe recipe = space.Decode(Counting(space.dimension()));
  EXPECT_EQ(RowFor(recipe, "model.layers.0.mlp.x"), RowFor(recipe, "model.layers.4.mlp.x"));
  EXPECT_NE(RowFor(recipe, "model.layers.4.mlp.x"), RowFor(recipe, "model.layers.5.mlp.x"));
  EXPECT_EQ(RowFor(recipe, "model.layers.30.mlp.x"), RowFor(recipe, "model.layers.31.mlp.x"));
  EXPECT_EQ(space.genes()[6].name, "layers.0-4/shisa.weight");
  EXPECT_EQ(space.genes()[6 * 7].name, "layers.30-31/shisa.weight");
}

TEST(PsSpace, OneGroupForTheModelMatchesEverything) {
  const PsSpace space = *PsSpace::Create(ThreeSources(Granularity::kModel));
  const Recipe recipe = space.Decode(Counting(6));
  ASSERT_EQ(recipe.rows.size(), 1u);
  EXPECT_THAT(RowFor(recipe, "anything")->weight, ElementsAre(0.001, 0.003, 0.005));
}

TEST(PsSpace, MethodsHaveOnlyTheirParameters) {
  EXPECT_EQ(PsSpace::Create(OneSource(MergeMethod::kSlerp))->dimension(), 4);
  EXPECT_EQ(PsSpace::Create(OneSource(MergeMethod::kSlerp))->genes()[1].name, "layer.0/t");
  EXPECT_EQ(PsSpace::Create(OneSource(MergeMethod::kTaskArithmetic))->dimension(), 4);
  EXPECT_EQ(PsSpace::Create(OneSource(MergeMethod::kTies))->dimension(), 8);
  for (const auto method :
       {MergeMethod::kSlerp, MergeMethod::kTaskArithmetic, MergeMethod::kTies, MergeMethod::kDareLinear}) {
    const PsSpace space = *PsSpace::Create(OneSource(method));
    EXPECT_TRUE(ValidateRecipe(space.Decode(Counting(space.dimension()))).ok()) << Name(method);
  }
}

TEST(PsSpace, FixedParametersAreNoGenes) {
  PsSpaceOptions options = ThreeSources(Granularity::kModel);
  options.density.fixed = 0.9;
  const PsSpace space = *PsSpace::Create(options);
  EXPECT_EQ(space.dimension(), 3);
  EXPECT_THAT(space.Decode(Counting(3)).rows[0].weight, ElementsAre(0.001, 0.002, 0.003));
  EXPECT_THAT(space.Decode(Counting(3)).rows[0].density, ElementsAre(0.9, 0.9, 0.9));
  options.weight.fixed = 1;
  EXPECT_THAT(PsSpace::Create(options).status().message(), HasSubstr("nothing is left to search"));
}

TEST(PsSpace, RefusesWhatIsNoSpace) {
  const auto error = [](auto change) {
    PsSpaceOptions options = ThreeSources(Granularity::kLayer);
    change(options);
    return std::string(PsSpace::Create(options).status().message());
  };
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.weight.high = 0; }),
              HasSubstr("weight: low (0) must be less than high (0)"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.weight.start = 2; }), HasSubstr("weight: start (2) is outside [0, 1]"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.density.high = 2; }), HasSubstr("density: [0, 2] leaves [0, 1]"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.density.fixed = -1; }), HasSubstr("density"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.num_layers = 0; }), HasSubstr("0 layers"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.base.clear(); }), HasSubstr("needs a base"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.method = MergeMethod::kSlerp; }), HasSubstr("exactly one source"));
  EXPECT_THAT(error([](PsSpaceOptions& o) { o.sources.clear(); }), HasSubstr("no source"));
  EXPECT_THAT(error([](PsSpaceOptions& o) {
                o.granularity = Granularity::kGroup;
                o.group_layers = 0;
              }),
              HasSubstr("group_layers"));
}

TEST(PsSpace, EncodesAModelAsItself) {
  const PsSpace space = *PsSpace::Create(ThreeSources(Granularity::kLayer));
  for (const ParameterRow& row : space.Decode(*space.EncodeModel("wizard")).rows) {
    EXPECT_THAT(row.weight, ElementsAre(0, 1, 0));
    EXPECT_EQ(row.density[1], 1);
  }
  EXPECT_THAT(space.Decode(*space.EncodeModel("mistral")).rows[0].weight, ElementsAre(0, 0, 0));
  EXPECT_EQ(space.EncodeModel("nobody").status().code(), absl::StatusCode::kNotFound);
  const PsSpace slerp = *PsSpace::Create(OneSource(MergeMethod::kSlerp));
  EXPECT_EQ(slerp.Decode(*slerp.EncodeModel("shisa")).rows[0].t, 1);
  EXPECT_EQ(slerp.Decode(*slerp.EncodeModel("mistral")).rows[0].t, 0);
}

TEST(PsSpace, EncodesTheUniformMerge) {
  const PsSpace space = *PsSpace::Create(ThreeSources(Granularity::kLayer));
  const Recipe recipe = space.Decode(*space.EncodeUniform());
  EXPECT_THAT(recipe.rows[7].weight, ElementsAre(1.0 / 3, 1.0 / 3, 1.0 / 3));
  EXPECT_THAT(recipe.rows[7].density, ElementsAre(1, 1, 1));
  const PsSpace slerp = *PsSpace::Create(OneSource(MergeMethod::kSlerp));
  EXPECT_EQ(slerp.Decode(*slerp.EncodeUniform()).rows[0].t, 0.5);
}

TEST(PsSpace, SaysWhereAMergeCannotBeEncoded) {
  PsSpaceOptions options = ThreeSources(Granularity::kModel);
  options.density = {0.2, 0.8, 0.5, std::nullopt};
  const PsSpace sparse = *PsSpace::Create(options);
  EXPECT_EQ(sparse.EncodeModel("abel").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(sparse.Decode(*sparse.EncodeUniform()).rows[0].density, ElementsAre(0.8, 0.8, 0.8));
  EXPECT_TRUE(sparse.EncodeModel("mistral").ok());  // with weight 0 no density matters
  options = ThreeSources(Granularity::kModel);
  options.weight = {0.5, 1, 0.75, std::nullopt};
  const PsSpace heavy = *PsSpace::Create(options);
  EXPECT_FALSE(heavy.EncodeModel("abel").ok());
  EXPECT_FALSE(heavy.EncodeUniform().ok());
  options = ThreeSources(Granularity::kModel);
  options.lambda = 0.5;
  EXPECT_FALSE(PsSpace::Create(options)->EncodeModel("abel").ok());
}

TEST(SearchSpace, ScalingIsExactAtTheEndsAndInverse) {
  const std::vector<Gene> genes = {{"a", -0.1, 0.3, 0.1}, {"b", 0, 1, 0.5}, {"c", 0.1, 0.7, 0.2}};
  EXPECT_THAT(ScaleFromUnit(genes, std::vector<double>{1, 1, 1}), ElementsAre(0.3, 1, 0.7));
  EXPECT_THAT(ScaleFromUnit(genes, std::vector<double>{0, 0, 0}), ElementsAre(-0.1, 0, 0.1));
  EXPECT_THAT(ScaleToUnit(genes, std::vector<double>{0.3, 1, 0.7}), ElementsAre(1, 1, 1));
  EXPECT_THAT(StartGenome(genes), ElementsAre(0.1, 0.5, 0.2));
  const std::vector<double> genome = {0.123, 0.456, 0.654};
  const std::vector<double> back = ScaleFromUnit(genes, ScaleToUnit(genes, genome));
  for (size_t i = 0; i < genome.size(); ++i) EXPECT_NEAR(back[i], genome[i], 1e-15);
}

}  // namespace
}  // namespace heterosis
