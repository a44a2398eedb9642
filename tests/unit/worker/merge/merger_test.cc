// SPDX-License-Identifier: Apache-2.0
// The merger as a whole: one result whatever the threads and vector width, its documented rules, and its errors.
#include "worker/merge/merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/unit/worker/merge/fixture.h"

namespace heterosis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class MergerTest : public testing::Test {
 protected:
  // The first tensor spans several of a merge's blocks, the others end in the middle of a tile.
  MergerTest() : MergerTest({{"model.embed_tokens.weight", {350, 401}}, {"w", {33, 31}}, {"norm", {5}}}) {}
  explicit MergerTest(std::vector<TensorSpec> specs) : specs_(std::move(specs)) {}

  MergerOptions Options(DType stored, double shift = 0.004) {
    parents_.push_back(std::make_unique<Parents>(specs_, stored));
    MergerOptions options;
    options.output = specs_;
    options.models = {parents_.back()->Make("base", 0)};
    for (const char* name : {"a", "b", "c"}) options.models.push_back(parents_.back()->Make(name, shift));
    return options;
  }

  std::vector<TensorSpec> specs_;
  std::vector<std::unique_ptr<Parents>> parents_;
};

TEST_F(MergerTest, BytesDoNotDependOnThreadsOrVectorWidth) {
  for (const DType stored : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    MergerOptions options = Options(stored);
    for (const MergeMethod method : AllMethods()) {
      for (const Rescale rescale : {Rescale::kDensity, Rescale::kL1}) {
        Recipe recipe = RecipeOver(method, stored, stored);
        recipe.rescale = rescale;
        options.threads = 1;
        options.kernels = RunnableKernels().front();
        const Merged expected = MergeOnce(options, recipe);
        for (const Kernels* kernels : RunnableKernels()) {
          for (const int threads : {1, 2, 3}) {
            options.kernels = kernels;
            options.threads = threads;
            EXPECT_EQ(MergeOnce(options, recipe).bytes, expected.bytes)
                << Name(method) << ", " << Name(stored) << ", " << kernels->name << ", " << threads;
          }
        }
      }
    }
  }
}

TEST_F(MergerTest, EarlierMergesLeaveNoTrace) {
  const MergerOptions options = Options(DType::kBFloat16);
  std::vector<Recipe> recipes;
  for (const MergeMethod method : AllMethods()) {
    for (const DType work : {DType::kFloat32, DType::kBFloat16}) {
      recipes.push_back(RecipeOver(method, work, DType::kBFloat16));
      recipes.push_back(recipes.back());
      recipes.back().rescale = Rescale::kL1;
      for (double& density : recipes.back().rows[0].density) density = 0.5;
      std::swap(recipes.back().sources.front(), recipes.back().sources.back());
    }
  }
  auto merger = Merger::Create(options);
  ASSERT_TRUE(merger.ok()) << merger.status();
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < recipes.size(); ++i) {
      const Recipe& recipe = recipes[round == 0 ? i : recipes.size() - 1 - i];
      Merged reused(specs_, recipe.out_dtype);
      ASSERT_TRUE((*merger)->Merge(recipe, reused.tensors).ok());
      ASSERT_EQ(reused.bytes, MergeOnce(options, recipe).bytes) << Name(recipe.method) << " " << i;
    }
  }
}

TEST_F(MergerTest, DareKeepsTheShareOfItsDensityIndependentlyBySourceTensorAndSeed) {
  MergerOptions options = Options(DType::kFloat32);
  Recipe recipe = RecipeOver(MergeMethod::kDareLinear, DType::kFloat32, DType::kFloat32);
  recipe.sources = {"a"};
  recipe.rows[0].weight = {1.0};
  recipe.rescale = Rescale::kNone;
  const std::vector<float> base = ToFloats(options.models[0].tensors[0]);
  const auto kept_of = [&](const Recipe& one) {
    const std::vector<float> merged = MergeOnce(options, one).Values(0);
    std::vector<bool> kept(merged.size());
    for (size_t i = 0; i < kept.size(); ++i) kept[i] = merged[i] != base[i];
    return kept;
  };
  const double n = static_cast<double>(base.size());
  std::vector<bool> before;
  for (const double density : {0.05, 0.3, 0.5, 0.9}) {
    recipe.rows[0].density = {density};
    const std::vector<bool> kept = kept_of(recipe);
    const double share = static_cast<double>(std::count(kept.begin(), kept.end(), true)) / n;
    EXPECT_NEAR(share, density, 5 * std::sqrt(density * (1 - density) / n));
    // A larger density keeps all that a smaller one keeps: the search space is smoother than with fresh masks.
    for (size_t i = 0; i < before.size(); ++i) ASSERT_TRUE(!before[i] || kept[i]) << i;
    before = kept;
  }
  recipe.rows[0].density = {0.5};
  const std::vector<bool> one = kept_of(recipe);
  const auto agreement = [&](const std::vector<bool>& other, size_t shift) {
    double same = 0;
    for (size_t i = 0; i + shift < one.size(); ++i) same += one[i] == other[i + shift] ? 1 : 0;
    return same / (n - static_cast<double>(shift));
  };
  const double room = 5 * 0.5 / std::sqrt(n);
  Recipe other = recipe;
  other.mask_seed = 18;
  EXPECT_NEAR(agreement(kept_of(other), 0), 0.5, room);
  other = recipe;
  other.sources = {"b"};
  EXPECT_NEAR(agreement(kept_of(other), 0), 0.5, room);
  for (const size_t shift : {1, 2, 4, 64, 401}) EXPECT_NEAR(agreement(one, shift), 0.5, room) << shift;
  EXPECT_EQ(kept_of(recipe), one);
}

TEST_F(MergerTest, DareByDensityDividesWhatIsKept) {
  MergerOptions options = Options(DType::kFloat32);
  Recipe recipe = RecipeOver(MergeMethod::kDareLinear, DType::kFloat32, DType::kFloat32);
  recipe.sources = {"a"};
  recipe.rows[0].weight = {1.0};
  recipe.rows[0].density = {0.25};
  const std::vector<float> base = ToFloats(options.models[0].tensors[1]);
  const std::vector<float> a = ToFloats(options.models[1].tensors[1]);
  const std::vector<float> merged = MergeOnce(options, recipe).Values(1);
  size_t kept = 0;
  for (size_t i = 0; i < merged.size(); ++i) {
    if (merged[i] == base[i]) continue;
    ++kept;
    ASSERT_EQ(merged[i], base[i] + (a[i] - base[i]) * 4.0f) << i;
  }
  EXPECT_GT(kept, merged.size() / 8);
}

TEST_F(MergerTest, DensitiesAtTheEndsKeepNothingOrAll) {
  const MergerOptions options = Options(DType::kFloat32);
  for (const MergeMethod method : {MergeMethod::kTies, MergeMethod::kDareLinear, MergeMethod::kDareTies}) {
    for (const Rescale rescale : {Rescale::kDensity, Rescale::kL1, Rescale::kNone}) {
      Recipe recipe = RecipeOver(method, DType::kFloat32, DType::kFloat32);
      recipe.rescale = rescale;
      for (const double nothing : {0.0, 1e-300, 1e-45, 1e-12}) {
        if (nothing > 0 && method == MergeMethod::kTies) continue;  // keeps at least one element
        recipe.rows[0].density = {nothing, nothing, nothing};
        const Merged merged = MergeOnce(options, recipe);
        for (size_t t = 0; t < specs_.size(); ++t) {
          ASSERT_EQ(merged.Values(t), ToFloats(options.models[0].tensors[t])) << Name(method) << ", " << nothing;
        }
      }
      recipe.rows[0].density = {1.0, 1.0, 1.0};
      Recipe dense = recipe;
      dense.rescale = Rescale::kNone;
      EXPECT_EQ(MergeOnce(options, recipe).bytes, MergeOnce(options, dense).bytes);
    }
  }
}

TEST_F(MergerTest, TiesKeepsTheLargestAndAllThatTieWithTheLast) {
  const std::vector<TensorSpec> specs{{"w", {8}}};
  Parents parents(specs, DType::kFloat32);
  MergerOptions options;
  options.output = specs;
  const auto model = [&](const char* name, const std::vector<float>& values) {
    return MergeModel{.name = name, .tensors = {parents.Store(specs[0], values)}, .owner = nullptr, .vocabulary = {}};
  };
  options.models = {model("base", std::vector<float>(8, 0)), model("a", {1, -3, 2, 2, -2, 0.5f, 4, 0.25f})};
  Recipe recipe = RecipeOver(MergeMethod::kTies, DType::kFloat32, DType::kFloat32);
  recipe.sources = {"a"};
  recipe.rows[0].weight = {1};
  const auto kept = [&](double density) {
    recipe.rows[0].density = {density};
    return MergeOnce(options, recipe).Values(0);
  };
  EXPECT_THAT(kept(0.01), testing::ElementsAre(0, 0, 0, 0, 0, 0, 4, 0));  // at least one
  EXPECT_THAT(kept(0.25), testing::ElementsAre(0, -3, 0, 0, 0, 0, 4, 0));
  EXPECT_THAT(kept(0.375), testing::ElementsAre(0, -3, 2, 2, -2, 0, 4, 0));  // three wanted, three tie with the third
  EXPECT_THAT(kept(0.63), testing::ElementsAre(0, -3, 2, 2, -2, 0, 4, 0));   // five
  EXPECT_THAT(kept(0.75), testing::ElementsAre(1, -3, 2, 2, -2, 0, 4, 0));
}

TEST_F(MergerTest, TiesThresholdIsTheKthLargestMagnitudeInEveryWorkDtype) {
  for (const DType work : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    const MergerOptions options = Options(DType::kFloat32);
    Recipe recipe = RecipeOver(MergeMethod::kTies, work, DType::kFloat32);
    recipe.sources = {"a"};
    recipe.rows[0].weight = {1};
    for (const double density : {0.001, 0.1, 0.37, 0.8, 0.999}) {
      recipe.rows[0].density = {density};
      const Merged merged = MergeOnce(options, recipe);
      for (size_t t = 0; t < specs_.size(); ++t) {
        const std::vector<float> base = ToFloats(options.models[0].tensors[t]),
                                 a = ToFloats(options.models[1].tensors[t]);
        std::vector<float> magnitudes(base.size());
        for (size_t i = 0; i < base.size(); ++i) {
          magnitudes[i] = std::fabs(RoundTo(work, RoundTo(work, a[i]) - RoundTo(work, base[i])));
        }
        std::vector<float> sorted = magnitudes;
        std::sort(sorted.begin(), sorted.end(), std::greater<>());
        const auto k = std::max<size_t>(1, static_cast<size_t>(density * static_cast<double>(sorted.size())));
        const std::vector<float> result = merged.Values(t);
        for (size_t i = 0; i < base.size(); ++i) {
          if (magnitudes[i] >= sorted[k - 1]) continue;
          ASSERT_EQ(result[i], RoundTo(work, base[i])) << Name(work) << ", " << density << ", " << i;
        }
        const auto kept =
            std::count_if(magnitudes.begin(), magnitudes.end(), [&](float m) { return m >= sorted[k - 1]; });
        size_t moved = 0;
        for (size_t i = 0; i < base.size(); ++i) moved += result[i] != RoundTo(work, base[i]) ? 1 : 0;
        EXPECT_LE(moved, static_cast<size_t>(kept));
        EXPECT_GE(moved, static_cast<size_t>(kept) * 8 / 10);  // a delta may vanish in the sum
      }
    }
  }
}

TEST_F(MergerTest, SlerpAtTheEndsIsTheModels) {
  const MergerOptions options = Options(DType::kFloat32, 0.2);
  for (const double t : {0.0, 1.0}) {
    Recipe recipe = RecipeOver(MergeMethod::kSlerp, DType::kFloat32, DType::kFloat32);
    recipe.rows[0].t = t;
    const Merged merged = MergeOnce(options, recipe);
    for (size_t i = 0; i < specs_.size(); ++i) {
      EXPECT_EQ(merged.Values(i), ToFloats(options.models[t == 0.0 ? 0 : 1].tensors[i]));
    }
  }
}

TEST_F(MergerTest, SingleModelRecipeCopiesTheBytes) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat16}) {
    const MergerOptions options = Options(dtype);
    const Merged merged = MergeOnce(options, SingleModelRecipe("b", "b", dtype));
    for (size_t i = 0; i < specs_.size(); ++i) {
      EXPECT_EQ(std::memcmp(merged.bytes[i].data(), options.models[2].tensors[i].data, merged.bytes[i].size()), 0);
    }
  }
}

TEST_F(MergerTest, RowsOfTheRecipeApplyToTheTensorsTheyMatch) {
  const MergerOptions options = Options(DType::kFloat32);
  Recipe recipe = RecipeOver(MergeMethod::kTaskArithmetic, DType::kFloat32, DType::kFloat32);
  ParameterRow nothing = recipe.rows[0];
  nothing.match = {"model.*"};
  nothing.weight = {0, 0, 0};
  recipe.rows.insert(recipe.rows.begin(), nothing);
  const Merged merged = MergeOnce(options, recipe);
  EXPECT_EQ(merged.Values(0), ToFloats(options.models[0].tensors[0]));
  EXPECT_NE(merged.Values(1), ToFloats(options.models[0].tensors[1]));
}

TEST_F(MergerTest, NotANumberInAParentStaysWhereItIs) {
  Parents parents(specs_, DType::kFloat32);
  MergerOptions options = Options(DType::kFloat32);
  std::vector<float> values = ToFloats(options.models[1].tensors[1]);
  values[7] = std::nanf("");
  values[8] = std::numeric_limits<float>::infinity();
  options.models[1].tensors[1] = parents.Store(specs_[1], values);
  for (const MergeMethod method : {MergeMethod::kLinear, MergeMethod::kTaskArithmetic, MergeMethod::kTies}) {
    const std::vector<float> merged =
        MergeOnce(options, RecipeOver(method, DType::kFloat32, DType::kFloat32)).Values(1);
    for (size_t i = 0; i < merged.size(); ++i) {
      if (i != 7 && i != 8) {
        ASSERT_TRUE(std::isfinite(merged[i])) << Name(method) << ", " << i;
      }
    }
  }
}

TEST_F(MergerTest, ErrorsNameWhatIsWrongAndLeaveTheOutputAlone) {
  const MergerOptions options = Options(DType::kFloat32);
  auto merger = Merger::Create(options);
  ASSERT_TRUE(merger.ok());
  Merged merged(specs_, DType::kFloat32);
  const auto before = merged.bytes;
  const auto error = [&](const Recipe& recipe, std::span<const MutableTensor> out) {
    const absl::Status status = (*merger)->Merge(recipe, out);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(merged.bytes, before);
    return std::string(status.message());
  };
  const Recipe good = RecipeOver(MergeMethod::kTies, DType::kFloat32, DType::kFloat32);
  Recipe recipe = good;
  recipe.sources[1] = "nobody";
  EXPECT_THAT(error(recipe, merged.tensors), HasSubstr("\"nobody\", which is not loaded"));
  recipe = good;
  recipe.rows[0].match = {"other.*"};
  EXPECT_THAT(error(recipe, merged.tensors), HasSubstr("no row of the recipe matches the tensor model.embed"));
  recipe = good;
  recipe.rows[0].density.pop_back();
  EXPECT_FALSE(error(recipe, merged.tensors).empty());
  recipe = good;
  recipe.out_dtype = DType::kBFloat16;
  EXPECT_THAT(error(recipe, merged.tensors), HasSubstr("bfloat16"));
  EXPECT_THAT(error(good, std::span(merged.tensors).first(1)), HasSubstr("1 tensors, not 3"));
}

TEST_F(MergerTest, ModelsThatDoNotFitAreRefusedByName) {
  const auto error = [](const MergerOptions& options) {
    const auto merger = Merger::Create(options);
    EXPECT_FALSE(merger.ok());
    return std::string(merger.status().message());
  };
  MergerOptions options = Options(DType::kFloat32);
  options.models[2].tensors.pop_back();
  EXPECT_THAT(error(options), AllOf(HasSubstr("model \"b\" has no norm"), HasSubstr("one architecture")));
  options = Options(DType::kFloat32);
  options.models[3].tensors[1].shape = {31, 33};
  EXPECT_THAT(error(options), AllOf(HasSubstr("model \"c\": w has shape [31, 33]"), HasSubstr("[33, 31]")));
  options = Options(DType::kFloat32);
  options.models[1].tensors[0].shape = {349, 401};
  EXPECT_THAT(error(options), AllOf(HasSubstr("349 rows"), HasSubstr("tokenizers")));
  options = Options(DType::kFloat32);
  options.threads = 0;
  EXPECT_THAT(error(options), HasSubstr("thread"));
}

class MergedVocabularyTest : public testing::Test {
 protected:
  // Each row of a model's embedding is the number of its token, plus the model's own.
  MergeModel Model(const std::string& name, float number, const std::vector<std::string>& tokens) {
    const TensorSpec spec{"model.embed_tokens.weight", {static_cast<int64_t>(tokens.size()), 3}};
    std::vector<float> values;
    for (const std::string& token : tokens) {
      for (int i = 0; i < 3; ++i) values.push_back(static_cast<float>(token[0] - 'a') * 100 + number);
    }
    return {.name = name, .tensors = {parents_.Store(spec, values)}, .owner = nullptr, .vocabulary = tokens};
  }
  std::vector<float> FirstColumn(const Recipe& recipe, const std::vector<std::string>& tokens) {
    MergerOptions options;
    options.output = {{"model.embed_tokens.weight", {static_cast<int64_t>(tokens.size()), 3}}};
    options.output_vocabulary = tokens;
    options.models = models_;
    const std::vector<float> all = MergeOnce(options, recipe).Values(0);
    std::vector<float> column;
    for (size_t i = 0; i < all.size(); i += 3) {
      EXPECT_EQ(all[i], all[i + 1]);
      EXPECT_EQ(all[i], all[i + 2]);
      column.push_back(all[i]);
    }
    return column;
  }

  Parents parents_{{}, DType::kFloat32};
  std::vector<MergeModel> models_;
};

TEST_F(MergedVocabularyTest, RowsMeetByTokenAndLackingRowsReadAsTheBase) {
  models_ = {Model("base", 0, {"a", "b", "c"}), Model("a", 10, {"c", "a", "b", "d"}), Model("b", 20, {"a", "b"})};
  Recipe recipe = RecipeOver(MergeMethod::kTaskArithmetic, DType::kFloat32, DType::kFloat32);
  recipe.sources = {"a", "b"};
  recipe.rows[0].weight = {1, 1};
  // "a" and "b": the base and both deltas. "c": b lacks it, so only a's delta. "d": only a has it; all read as a's.
  EXPECT_THAT(FirstColumn(recipe, {"a", "b", "c", "d"}), testing::ElementsAre(30, 130, 210, 310));
  EXPECT_THAT(FirstColumn(recipe, {"d", "b"}), testing::ElementsAre(310, 130));
}

TEST_F(MergedVocabularyTest, WithoutABaseLackingRowsReadAsTheMeanOfTheOthers) {
  models_ = {Model("a", 10, {"a", "b"}), Model("b", 20, {"a", "b"}), Model("c", 60, {"b", "x"})};
  Recipe recipe = RecipeOver(MergeMethod::kLinear, DType::kFloat32, DType::kFloat32);
  recipe.rows[0].weight = {1, 1, 2};
  // "a": c reads as the mean 15, so (10 + 20 + 2 * 15) / 4. "z": nobody has it.
  EXPECT_THAT(FirstColumn(recipe, {"a", "b", "z"}), testing::ElementsAre(15, 137.5f, 0));
}

TEST_F(MergedVocabularyTest, UntiedHeadCannotBeExpressedByATiedModel) {
  models_ = {Model("a", 10, {"a"})};
  models_[0].tensors.push_back(parents_.Store({"lm_head.weight", {1, 3}}, {1, 2, 3}));
  MergerOptions options;
  options.output = {{"model.embed_tokens.weight", {1, 3}}};
  options.models = models_;
  const auto merger = Merger::Create(options);
  EXPECT_THAT(std::string(merger.status().message()), AllOf(HasSubstr("lm_head.weight"), HasSubstr("tied")));
}

TEST_F(MergedVocabularyTest, TiedSourceGivesItsEmbeddingAsHead) {
  models_ = {Model("a", 10, {"a", "b"})};
  MergerOptions options;
  options.output = {{"model.embed_tokens.weight", {2, 3}}, {"lm_head.weight", {2, 3}}};
  options.models = models_;
  const Merged merged = MergeOnce(options, SingleModelRecipe("a", "a", DType::kFloat32));
  EXPECT_EQ(merged.Values(0), merged.Values(1));
  EXPECT_EQ(merged.Values(1)[3], 110);
}

}  // namespace
}  // namespace heterosis
