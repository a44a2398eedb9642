// SPDX-License-Identifier: Apache-2.0
// Tests of proto/wire: every domain struct survives the wire, and what no struct can hold is refused.
#include "proto/wire.h"

#include <gtest/gtest.h>

namespace heterosis {
namespace {

Recipe SomeRecipe() {
  Recipe recipe;
  recipe.method = MergeMethod::kDareTies;
  recipe.base = "base";
  recipe.sources = {"ja", "math"};
  recipe.tokenizer = "ja";
  recipe.normalize = true;
  recipe.lambda = 0.75;
  recipe.rescale = Rescale::kL1;
  recipe.mask = MaskSource::kMergekit;
  recipe.mask_seed = 0xFFFFFFFFFFFFFFFFu;
  recipe.dtype = DType::kBFloat16;
  recipe.out_dtype = DType::kFloat16;
  recipe.rows = {{.match = {"model.layers.0.*", "lm_head.weight"}, .weight = {0.1, 1.9}, .density = {0.5, 1.0}, .t = 0},
                 {.match = {"*"}, .weight = {0, 1}, .density = {0, 0.25}, .t = 0}};
  return recipe;
}

TEST(WireTest, RecipeSurvives) {
  const auto back = FromWire(ToWire(SomeRecipe()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, SomeRecipe());
}

TEST(WireTest, RecipeOfAnotherVersionIsRefused) {
  v1::Recipe message = ToWire(SomeRecipe());
  message.set_version(Recipe::kVersion + 1);
  EXPECT_EQ(FromWire(message).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(WireTest, RecipeWithUnknownMethodOrWrongRowIsRefused) {
  v1::Recipe message = ToWire(SomeRecipe());
  message.set_method("average");
  EXPECT_EQ(FromWire(message).status().code(), absl::StatusCode::kInvalidArgument);
  message = ToWire(SomeRecipe());
  message.mutable_rows(0)->add_weight(1.0);
  EXPECT_FALSE(FromWire(message).ok());
}

TEST(WireTest, ShardWorkSurvives) {
  const ShardWork work{.key = {7, 2, 3},
                       .recipe = SomeRecipe(),
                       .split = Split::kValidation,
                       .samples = {4, 9},
                       .problems = {{"1足す1は？", "2"}, {"a\nb", "-3.5"}}};
  const auto back = FromWire(ToWire(work));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, work);
}

TEST(WireTest, ShardWorkWithAMissingProblemIsRefused) {
  ShardWork work{.key = {1, 0, 0}, .recipe = SomeRecipe(), .split = Split::kTest, .samples = {1}, .problems = {}};
  EXPECT_EQ(FromWire(ToWire(work)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WireTest, ShardResultSurvives) {
  const ShardResult result{.key = {1, 2, 3},
                           .samples = {{.sample = 5,
                                        .correct = true,
                                        .number_ok = true,
                                        .language_ok = true,
                                        .text = "答えは5です",
                                        .answer = "5",
                                        .prompt_tokens = 12,
                                        .new_tokens = 6,
                                        .finish = FinishReason::kRepetition}},
                           .merge_seconds = 0.5,
                           .decode_seconds = 1.25};
  const auto back = FromWire(ToWire(result));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, result);
}

TEST(WireTest, ShardFailureSurvives) {
  const auto back = FromWire(ToWire(ShardFailure{{1, 2, 3}, FailureClass::kNumeric, "NaN in the logits"}));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->key, (ShardKey{1, 2, 3}));
  EXPECT_EQ(back->failure, FailureClass::kNumeric);
  EXPECT_EQ(back->message, "NaN in the logits");
}

TEST(WireTest, TaskSurvivesAndEmptyTaskIsRefused) {
  const Task task{.prompt_template = "### {input}",
                  .chat = true,
                  .max_new_tokens = 12,
                  .stop = {"\n", "Q:"},
                  .repetition_window = 32,
                  .number_mode = NumberMode::kPaper,
                  .language = "ja",
                  .language_threshold = 0.25,
                  .compute_dtype = DType::kBFloat16,
                  .batch_size = 7};
  const auto back = FromWire(ToWire(task));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, task);
  EXPECT_FALSE(FromWire(v1::TaskSpec()).ok());
}

TEST(WireTest, CanaryWorkSurvives) {
  const CanaryWork work{
      .number = 3, .recipe = SomeRecipe(), .problems = {{"1足す1は？", "2"}, {"a", "3"}}, .steps = 5, .top = 7};
  const auto back = FromWire(ToWire(work));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, work);
}

TEST(WireTest, CanaryWithoutProblemsOrWithTooManyStepsIsRefused) {
  CanaryWork work{.recipe = SomeRecipe(), .problems = {{"a", "3"}}, .steps = 1'000'000};
  EXPECT_EQ(FromWire(ToWire(work)).status().code(), absl::StatusCode::kInvalidArgument);
  work = {.recipe = SomeRecipe()};
  EXPECT_EQ(FromWire(ToWire(work)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WireTest, CanaryResultSurvives) {
  const CanaryResult good{.number = 9, .answers = {{{{1, 2.5F}, {3, -0.1F}}, {{4, 1e-30F}}}, {}}};
  const CanaryResult bad{.number = 9, .failure = FailureClass::kNumeric, .message = "NaN"};
  for (const CanaryResult& result : {good, bad}) {
    const auto back = FromWire(ToWire(result));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, result);
  }
  v1::CanaryResult message = ToWire(good);
  message.set_failure("fire");
  EXPECT_EQ(FromWire(message).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace heterosis
