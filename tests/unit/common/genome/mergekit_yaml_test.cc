// SPDX-License-Identifier: Apache-2.0
// mergekit's YAML in and out; that mergekit itself accepts what we write is in tests/differential/genome.
#include "common/genome/mergekit_yaml.h"

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/genome/ps_space.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

MergekitModelFacts Facts(int layers) {
  MergekitModelFacts facts;
  facts.num_layers = layers;
  facts.tensors = {"lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"};
  for (int i = 0; i < layers; ++i) {
    for (const char* part : {"input_layernorm", "mlp.up_proj", "post_attention_layernorm", "self_attn.q_proj"}) {
      facts.tensors.push_back(absl::StrCat("model.layers.", i, ".", part, ".weight"));
    }
  }
  return facts;
}

Recipe Read(const std::string& text, int layers = 3) {
  const absl::StatusOr<MergekitFile> file = MergekitFile::Parse(text, "m.yml");
  EXPECT_TRUE(file.ok()) << file.status();
  const absl::StatusOr<Recipe> recipe = file.ok() ? file->ToRecipe(Facts(layers)) : file.status();
  EXPECT_TRUE(recipe.ok()) << recipe.status();
  return recipe.ok() ? *recipe : Recipe();
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<MergekitFile> file = MergekitFile::Parse(text, "m.yml");
  if (!file.ok()) return std::string(file.status().message());
  return std::string(file->ToRecipe(Facts(3)).status().message());
}

// Whether two recipes give every tensor the same parameters, and are the same otherwise.
void ExpectSameMerge(const Recipe& got, const Recipe& expected, const std::vector<std::string>& tensors) {
  Recipe a = got, b = expected;
  a.rows.clear();
  b.rows.clear();
  EXPECT_EQ(a, b);
  for (const std::string& tensor : tensors) {
    const ParameterRow* row = RowFor(got, tensor);
    const ParameterRow* wanted = RowFor(expected, tensor);
    ASSERT_NE(row, nullptr) << tensor;
    ASSERT_NE(wanted, nullptr) << tensor;
    EXPECT_EQ(row->weight, wanted->weight) << tensor;
    EXPECT_EQ(row->density, wanted->density) << tensor;
    EXPECT_EQ(row->t, wanted->t) << tensor;
  }
}

TEST(MergekitRead, TakesScalarsAndMergekitsDefaults) {
  const Recipe recipe = Read(R"(merge_method: dare_ties
base_model: models/base
models:
  - model: models/base
  - model: models/ja/
    parameters: {weight: 0.5, density: 0.25}
  - model: models/math
    parameters: {weight: 1}
parameters: {int8_mask: true}
dtype: bfloat16
)");
  EXPECT_EQ(recipe.method, MergeMethod::kDareTies);
  EXPECT_EQ(recipe.base, "base");
  EXPECT_THAT(recipe.sources, ElementsAre("ja", "math"));
  EXPECT_EQ(recipe.tokenizer, "base");
  EXPECT_EQ(recipe.rescale, Rescale::kL1);
  EXPECT_FALSE(recipe.normalize);
  EXPECT_EQ(recipe.dtype, DType::kBFloat16);
  EXPECT_EQ(recipe.out_dtype, DType::kBFloat16);
  ASSERT_EQ(recipe.rows.size(), 1u);
  EXPECT_EQ(recipe.rows[0], (ParameterRow{{"*"}, {0.5, 1}, {0.25, 1}}));
}

TEST(MergekitRead, NormalizesTiesAndLinearUnlessTold) {
  const std::string ties = "merge_method: ties\nbase_model: b\nmodels: [{model: a, parameters: {weight: 1}}]\n";
  EXPECT_TRUE(Read(ties).normalize);
  EXPECT_FALSE(Read(ties + "parameters: {normalize: false}\n").normalize);
  const Recipe linear = Read("merge_method: linear\nmodels: [{model: x/a}, {model: y/a}]\nparameters: {weight: 1}\n");
  EXPECT_TRUE(linear.normalize);
  EXPECT_THAT(linear.sources, ElementsAre("x/a", "y/a"));  // both would be "a"
  EXPECT_EQ(linear.tokenizer, "x/a");
  EXPECT_EQ(linear.dtype, DType::kBFloat16);  // that of the models
}

TEST(MergekitRead, GradientsRunOverTheLayersAndTheRestTakesTheFirstValue) {
  const Recipe recipe = Read(
      "merge_method: task_arithmetic\nbase_model: b\nmodels: [{model: a, parameters: {weight: [0, 1, 0.5]}}]\n", 5);
  const auto weight = [&](std::string_view name) { return RowFor(recipe, name)->weight[0]; };
  EXPECT_EQ(weight("model.embed_tokens.weight"), 0);
  EXPECT_EQ(weight("lm_head.weight"), 0);
  EXPECT_EQ(weight("model.norm.weight"), 0);
  EXPECT_EQ(weight("model.layers.0.mlp.up_proj.weight"), 0);
  EXPECT_EQ(weight("model.layers.1.mlp.up_proj.weight"), 0.5);
  EXPECT_EQ(weight("model.layers.2.mlp.up_proj.weight"), 1);
  EXPECT_EQ(weight("model.layers.3.mlp.up_proj.weight"), 0.75);
  EXPECT_EQ(weight("model.layers.4.mlp.up_proj.weight"), 0.5);
  EXPECT_EQ(recipe.rows.size(), 4u);  // one for each distinct value
  EXPECT_THAT(RowFor(recipe, "model.layers.1.mlp.up_proj.weight")->match,
              ElementsAre("model.layers.1.*", "model.layers.4.*"));
}

TEST(MergekitRead, TheOnlyLayerTakesTheEndOfAGradient) {
  const Recipe recipe =
      Read("merge_method: task_arithmetic\nbase_model: b\nmodels: [{model: a, parameters: {weight: [0, 1]}}]\n", 1);
  EXPECT_EQ(RowFor(recipe, "model.layers.0.mlp.up_proj.weight")->weight[0], 1);
}

TEST(MergekitRead, FirstMatchingFilterCountsThenTheFilesParameters) {
  const Recipe recipe = Read(R"(merge_method: slerp
base_model: a
models: [{model: a}, {model: b}]
parameters:
  t:
    - filter: self_attn
      value: [0, 1]
    - {filter: layers.1., value: 0.25}
    - value: 0.5
)");
  const auto t = [&](std::string_view name) { return RowFor(recipe, name)->t; };
  EXPECT_EQ(t("model.layers.1.self_attn.q_proj.weight"), 0.5);
  EXPECT_EQ(t("model.layers.2.self_attn.q_proj.weight"), 1);
  EXPECT_EQ(t("model.layers.1.mlp.up_proj.weight"), 0.25);
  EXPECT_EQ(t("lm_head.weight"), 0.5);
  const Recipe fallback = Read(R"(merge_method: task_arithmetic
base_model: b
models:
  - model: a
    parameters: {weight: {filter: mlp, value: 2}}
parameters: {weight: 3}
)");
  EXPECT_EQ(RowFor(fallback, "model.layers.1.mlp.up_proj.weight")->weight[0], 2);
  EXPECT_EQ(RowFor(fallback, "lm_head.weight")->weight[0], 3);
}

TEST(MergekitRead, EveryErrorHasItsLine) {
  const std::string head = "merge_method: ties\nbase_model: b\n";
  const std::string models = "models: [{model: a, parameters: {weight: 1}}]\n";
  EXPECT_EQ(ErrorOf(""), "m.yml:1: the file is empty");
  EXPECT_THAT(ErrorOf("a: [1\nb: 2"), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf("- a\n"), HasSubstr("m.yml:1: a mergekit file is a map"));
  EXPECT_THAT(ErrorOf(head + "slices: []\n"), HasSubstr("m.yml:3: the form `slices:` is not supported"));
  EXPECT_THAT(ErrorOf(head + "modules: {}\n"), HasSubstr("m.yml:3: the form `modules:`"));
  EXPECT_THAT(ErrorOf(head + models + "dtpye: x\n"), HasSubstr("m.yml:4: unknown key dtpye"));
  EXPECT_THAT(ErrorOf(head + "base_model: c\n" + models), HasSubstr("m.yml:3: the key base_model occurs twice"));
  EXPECT_THAT(ErrorOf("merge_method: model_stock\n" + models),
              HasSubstr("m.yml:1: unknown merge method \"model_stock\""));
  EXPECT_THAT(ErrorOf("merge_method: ties\n" + models), HasSubstr("m.yml:1: this method needs base_model"));
  EXPECT_THAT(ErrorOf(head), HasSubstr("m.yml:1: models: must be a list"));
  EXPECT_THAT(ErrorOf(head + "models: [{model: b}]\n"), HasSubstr("m.yml:3: models: lists only the base"));
  EXPECT_THAT(ErrorOf(head + "models:\n  - {model: a}\n  - {model: a}\n"),
              HasSubstr("m.yml:5: the model a is listed twice"));
  EXPECT_THAT(ErrorOf(head + "models: [{model: a@main}]\n"), HasSubstr("has a revision"));
  EXPECT_THAT(ErrorOf(head + "models:\n  - model: a\n"),
              HasSubstr("m.yml:4: the weight of a for the tensor lm_head.weight is missing"));
  EXPECT_THAT(ErrorOf(head + "models:\n  - {model: a, parameters: {wieght: 1}}\n"),
              HasSubstr("m.yml:4: unknown parameter wieght"));
  EXPECT_THAT(ErrorOf(head + models + "parameters:\n  normalize: maybe\n"), HasSubstr("m.yml:5: true or false"));
  EXPECT_THAT(ErrorOf(head + models + "parameters:\n  lambda: .nan\n"), HasSubstr("m.yml:5: a finite number"));
  EXPECT_THAT(ErrorOf(head + models + "parameters:\n  rescale: true\n"),
              HasSubstr("m.yml:5: rescale: true is not supported with ties"));
  EXPECT_THAT(ErrorOf(head + models + "parameters:\n  gamma: 1\n"), HasSubstr("m.yml:5: unknown parameter gamma"));
  EXPECT_THAT(ErrorOf(head + models + "dtype: float64\n"), HasSubstr("m.yml:4: unknown dtype"));
  EXPECT_THAT(ErrorOf(head + models + "tokenizer_source: union\n"), HasSubstr("m.yml:4: tokenizer_source: union"));
  EXPECT_THAT(ErrorOf(head + models + "tokenizer_source: c\n"), HasSubstr("m.yml:4: c is not one of"));
  EXPECT_THAT(ErrorOf(head + models + "chat_template: auto\n"), HasSubstr("m.yml:4: `chat_template:`"));
  EXPECT_THAT(ErrorOf(head + "models: [{model: a, parameters: {weight: []}}]\n"),
              HasSubstr("m.yml:3: a gradient needs"));
  EXPECT_THAT(ErrorOf(head + "models: [{model: a, parameters: {weight: [{filter: x}]}}]\n"),
              HasSubstr("lacks its value"));
  EXPECT_THAT(ErrorOf("merge_method: slerp\nbase_model: b\nmodels: [{model: a}, {model: c}]\n"),
              HasSubstr("m.yml:3: slerp takes two"));
  EXPECT_THAT(ErrorOf(head + "models: [{model: a, parameters: {weight: 1, density: 2}}]\n"), HasSubstr("density of 2"));
}

TEST(MergekitWrite, ReadsBackAsTheSameMergeForEveryMethodAndGranularity) {
  const MergekitModelFacts facts = Facts(12);  // layer 1 is a prefix of 10 and 11
  RandomStream random(7);
  for (const auto method : {MergeMethod::kLinear, MergeMethod::kSlerp, MergeMethod::kTaskArithmetic, MergeMethod::kTies,
                            MergeMethod::kDareLinear, MergeMethod::kDareTies}) {
    for (const auto granularity :
         {Granularity::kModel, Granularity::kLayer, Granularity::kModule, Granularity::kGroup}) {
      PsSpaceOptions options;
      options.method = method;
      options.base = method == MergeMethod::kLinear ? "" : "base";
      options.sources = {"ja", "math"};
      if (method == MergeMethod::kSlerp) options.sources = {"ja"};
      options.tokenizer = "ja";
      options.granularity = granularity;
      options.group_layers = 5;
      options.num_layers = 12;
      options.mask_seed = 18446744073709551615u;
      options.out_dtype = DType::kFloat16;
      if (method == MergeMethod::kTies) options.lambda = 1e-5;
      const PsSpace space = *PsSpace::Create(options);
      std::vector<double> genome;
      for (int i = 0; i < space.dimension(); ++i)
        genome.push_back(i % 5 == 0 ? 1e-7 * random.NextUniform() : random.NextUniform());
      Recipe recipe = space.Decode(genome);
      const std::string text =
          MergekitText(recipe, {{"base", "/models/base"}, {"ja", "/models/ja"}, {"math", "/mo\"dels/math"}}).value();
      const MergekitFile file = MergekitFile::Parse(text, "m.yml").value();
      const bool dare = method == MergeMethod::kDareLinear || method == MergeMethod::kDareTies;
      if (!dare) recipe.mask_seed = 0;  // of no meaning then, and not written
      ExpectSameMerge(file.ToRecipe(facts).value(), recipe, facts.tensors);
    }
  }
}

TEST(MergekitWrite, RefusesWhatMergekitCannotSay) {
  Recipe recipe = SingleModelRecipe("ja", "ja", DType::kFloat16);
  recipe.rows[0].match = {"model.*.mlp.*"};
  EXPECT_THAT(MergekitText(recipe, {{"ja", "p"}}).status().message(), HasSubstr("has a '*' inside"));
  recipe.rows[0].match = {"*"};
  EXPECT_THAT(MergekitText(recipe, {{"math", "p"}}).status().message(), HasSubstr("\"ja\" is not known"));
  recipe.rows.clear();
  EXPECT_FALSE(MergekitText(recipe, {{"ja", "p"}}).ok());
}

}  // namespace
}  // namespace heterosis
