// SPDX-License-Identifier: Apache-2.0
// Recipes: names, globs, checks, canonical JSON and its digest.
#include "common/genome/recipe.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

Recipe DareTies() {
  Recipe recipe;
  recipe.method = MergeMethod::kDareTies;
  recipe.base = "base";
  recipe.sources = {"ja", "math"};
  recipe.tokenizer = "base";
  recipe.mask_seed = 18446744073709551615u;
  recipe.lambda = 0.1;
  recipe.rows = {{{"model.layers.0.*", "lm_head.weight"}, {0.1, -1e-300}, {0, 1}}, {{"*"}, {1.0 / 3, 2}, {0.5, 0.25}}};
  return recipe;
}

Recipe Slerp() {
  Recipe recipe;
  recipe.method = MergeMethod::kSlerp;
  recipe.base = "base";
  recipe.sources = {"ja"};
  recipe.tokenizer = "base";
  recipe.rows = {{{"*"}, {}, {}, 0.75}};
  return recipe;
}

std::string ErrorOf(const Recipe& recipe) {
  return std::string(ValidateRecipe(recipe).message());
}

TEST(Glob, StarMatchesAnyRunAlsoDotsAndNothing) {
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_TRUE(GlobMatches("model.layers.3.*", "model.layers.3.mlp.up_proj.weight"));
  EXPECT_TRUE(GlobMatches("model.*.weight", "model.norm.weight"));
  EXPECT_TRUE(GlobMatches("*a*b*", "xxaxbxab"));
  EXPECT_TRUE(GlobMatches("**", "x"));
  EXPECT_TRUE(GlobMatches("", ""));
  EXPECT_FALSE(GlobMatches("", "x"));
  EXPECT_FALSE(GlobMatches("model.layers.3.*", "model.layers.31.mlp.up_proj.weight"));
  EXPECT_FALSE(GlobMatches("model.norm.weight", "model.norm.weights"));
  EXPECT_FALSE(GlobMatches("*.weight", "model.norm.bias"));
  EXPECT_FALSE(GlobMatches("a?c", "abc"));  // only '*' is special
}

// A backtracking matcher would need more than 10^100 steps here.
TEST(Glob, HostilePatternEndsQuickly) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(2000, 'a')));
}

TEST(Recipe, FirstMatchingRowCounts) {
  const Recipe recipe = DareTies();
  EXPECT_EQ(RowFor(recipe, "model.layers.0.mlp.up_proj.weight"), &recipe.rows[0]);
  EXPECT_EQ(RowFor(recipe, "lm_head.weight"), &recipe.rows[0]);
  EXPECT_EQ(RowFor(recipe, "model.layers.1.mlp.up_proj.weight"), &recipe.rows[1]);
  Recipe without_rest = recipe;
  without_rest.rows.pop_back();
  EXPECT_EQ(RowFor(without_rest, "model.norm.weight"), nullptr);
}

TEST(Recipe, NamesRoundTripAndUnknownOnesAreListed) {
  for (const auto method : {MergeMethod::kLinear, MergeMethod::kSlerp, MergeMethod::kTaskArithmetic, MergeMethod::kTies,
                            MergeMethod::kDareLinear, MergeMethod::kDareTies}) {
    EXPECT_EQ(MergeMethodFromName(Name(method)).value(), method);
  }
  for (const auto dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    EXPECT_EQ(DTypeFromName(Name(dtype)).value(), dtype);
  }
  for (const auto rescale : {Rescale::kDensity, Rescale::kL1, Rescale::kNone}) {
    EXPECT_EQ(RescaleFromName(Name(rescale)).value(), rescale);
  }
  for (const auto mask : {MaskSource::kCounter, MaskSource::kMergekit}) {
    EXPECT_EQ(MaskSourceFromName(Name(mask)).value(), mask);
  }
  EXPECT_EQ(DTypeFromName("float64").status().message(),
            "unknown dtype \"float64\" (known: float32, bfloat16, float16)");
}

TEST(ValidateRecipe, AcceptsSoundRecipes) {
  EXPECT_TRUE(ValidateRecipe(DareTies()).ok());
  EXPECT_TRUE(ValidateRecipe(Slerp()).ok());
  EXPECT_TRUE(ValidateRecipe(SingleModelRecipe("ja", "base", DType::kFloat16)).ok());
}

TEST(ValidateRecipe, NamesTheFault) {
  const auto after = [](auto change) {
    Recipe recipe = DareTies();
    change(recipe);
    return ErrorOf(recipe);
  };
  EXPECT_EQ(after([](Recipe& r) { r.base.clear(); }), "method dare_ties needs a base model");
  EXPECT_EQ(after([](Recipe& r) { r.sources.clear(); }), "the recipe names no source model");
  EXPECT_THAT(after([](Recipe& r) { r.tokenizer.clear(); }), HasSubstr("tokenizer"));
  EXPECT_EQ(after([](Recipe& r) { r.sources[1] = "ja"; }), "\"ja\" is a source twice");
  EXPECT_EQ(after([](Recipe& r) { r.sources[1] = "base"; }), "\"base\" is the base and a source at once");
  EXPECT_THAT(after([](Recipe& r) { r.sources[1] = "\xff"; }), HasSubstr("not UTF-8"));
  EXPECT_EQ(after([](Recipe& r) { r.rows.clear(); }), "the recipe has no row of parameters");
  EXPECT_EQ(after([](Recipe& r) { r.rows[1].match.clear(); }),
            "row 1: matches no tensor: its list of patterns is empty");
  EXPECT_THAT(after([](Recipe& r) { r.rows[0].match[1] = ""; }), HasSubstr("row 0 (model.layers.0.*): has a pattern"));
  EXPECT_EQ(after([](Recipe& r) { r.rows[1].weight.pop_back(); }), "row 1 (*): has 1 values of weight for 2 sources");
  EXPECT_EQ(after([](Recipe& r) { r.rows[1].density.clear(); }), "row 1 (*): has 0 values of density for 2 sources");
  EXPECT_EQ(after([](Recipe& r) { r.rows[1].density[0] = 1.5; }), "row 1 (*): has a density of 1.5, outside [0, 1]");
  EXPECT_THAT(after([](Recipe& r) { r.rows[1].density[0] = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("density"));
  EXPECT_THAT(after([](Recipe& r) { r.rows[0].weight[1] = std::numeric_limits<double>::infinity(); }),
              HasSubstr("not finite"));
  EXPECT_THAT(after([](Recipe& r) { r.rows[0].t = 0.5; }), HasSubstr("only method slerp has"));
  EXPECT_THAT(after([](Recipe& r) { r.lambda = std::numeric_limits<double>::quiet_NaN(); }), HasSubstr("lambda"));
  EXPECT_THAT(after([](Recipe& r) { r.method = static_cast<MergeMethod>(99); }), HasSubstr("does not know"));
}

TEST(ValidateRecipe, HoldsEachMethodToItsParameters) {
  Recipe slerp = Slerp();
  slerp.rows[0].weight = {1};
  EXPECT_EQ(ErrorOf(slerp), "row 0 (*): has 1 values of weight, which method slerp has not");
  slerp = Slerp();
  slerp.sources = {"ja", "math"};
  EXPECT_THAT(ErrorOf(slerp), HasSubstr("exactly one source"));
  Recipe linear = SingleModelRecipe("ja", "base", DType::kFloat16);
  linear.base = "base";
  EXPECT_THAT(ErrorOf(linear), HasSubstr("linear has no base"));
  linear.base.clear();
  linear.lambda = 2;
  EXPECT_THAT(ErrorOf(linear), HasSubstr("has no lambda"));
}

TEST(RecipeJson, RoundTripsEveryField) {
  for (Recipe recipe : {DareTies(), Slerp(), SingleModelRecipe("ja", "base", DType::kFloat16)}) {
    recipe.normalize = true;
    recipe.rescale = Rescale::kNone;
    recipe.mask = MaskSource::kMergekit;
    recipe.dtype = DType::kBFloat16;
    const std::string text = JsonText(RecipeToJson(recipe));
    const Json parsed = ParseJson(text).value();
    EXPECT_EQ(RecipeFromJson(parsed).value(), recipe);
    EXPECT_EQ(JsonText(RecipeToJson(RecipeFromJson(parsed).value())), text);
  }
}

TEST(RecipeJson, IsCanonical) {
  EXPECT_EQ(JsonText(RecipeToJson(Slerp())),
            R"({"version":1,"method":"slerp","base":"base","sources":["ja"],"tokenizer":"base","normalize":false,)"
            R"("lambda":1.0,"rescale":"density","mask":"counter","mask_seed":0,"dtype":"float32",)"
            R"("out_dtype":"bfloat16","rows":[{"match":["*"],"weight":[],"density":[],"t":0.75}]})");
  Recipe negative_zero = Slerp();
  negative_zero.rows[0].t = -0.0;
  Recipe zero = Slerp();
  zero.rows[0].t = 0.0;
  ASSERT_EQ(zero, negative_zero);
  EXPECT_EQ(RecipeDigest(zero), RecipeDigest(negative_zero));
  EXPECT_NE(RecipeDigest(zero), RecipeDigest(Slerp()));
}

TEST(RecipeJson, RefusesWhatIsNoRecipe) {
  const std::string text = JsonText(RecipeToJson(DareTies()));
  const auto with = [&text](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return std::string(RecipeFromJson(ParseJson(changed).value()).status().message());
  };
  EXPECT_EQ(with("\"lambda\"", "\"lamda\""), "recipe: unknown key \"lamda\"");
  EXPECT_EQ(with("\"density\":[0.0", "\"densities\":[0.0"), "row 0: unknown key \"densities\"");
  EXPECT_EQ(with("\"lambda\":0.1,", ""), "\"lambda\" must be a number, but is missing");
  EXPECT_THAT(with("\"version\":1", "\"version\":2"), HasSubstr("has version 2"));
  EXPECT_THAT(with("18446744073709551615", "-1"), HasSubstr("mask_seed"));
  EXPECT_THAT(with("18446744073709551615", "1.5"), HasSubstr("mask_seed"));
  EXPECT_THAT(with("dare_ties", "dare_tie"), HasSubstr("unknown merge method"));
  EXPECT_EQ(with("[\"ja\",\"math\"]", "[\"ja\",1]"), "\"sources\" must hold only texts");
  EXPECT_EQ(with("[\"ja\",\"math\"]", "\"ja\""), "\"sources\" must be a list");
  EXPECT_EQ(with("[0.5,0.25]", "[0.5,null]"), "row 1: \"density\" must hold only numbers");
  EXPECT_FALSE(RecipeFromJson(Json::array()).ok());
}

}  // namespace
}  // namespace heterosis
