// SPDX-License-Identifier: Apache-2.0
// Texts from prompts with the demo's Japanese model: stop strings, ends, and independence of the batch.
#include "worker/evaluate/generator.h"

#include <limits>

#include "gmock/gmock.h"
#include "tests/unit/worker/evaluate/fixture.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

class GeneratorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    loaded_ = OpenModel(DemoModel("ja")).value();
    model_ = LoadForDecoding(loaded_, TestCpu(), DType::kFloat32).value();
    task_.max_new_tokens = 16;
    for (const Problem& problem : DemoProblems(12)) prompts_.push_back("問: " + problem.question + "\n答:");
  }

  absl::StatusOr<std::vector<Generated>> Run(const std::vector<std::string>& prompts,
                                             const std::atomic<bool>& cancelled = kNotCancelled) {
    return Generate(*model_, *loaded_.tokenizer, prompts, /*add_special_tokens=*/true, task_, cancelled);
  }
  Generated One(const std::string& prompt) { return Run({prompt}).value().front(); }

  LoadedModel loaded_;
  std::unique_ptr<Model> model_;
  Task task_;
  std::vector<std::string> prompts_;
};

TEST_F(GeneratorTest, AnAnswerEndsAtEosWithoutItsToken) {
  const Generated answer = One(prompts_[0]);
  EXPECT_EQ(answer.finish, FinishReason::kEos);
  EXPECT_EQ(answer.text, "10+80=90枚です。");
  EXPECT_EQ(answer.text, loaded_.tokenizer->Decode(answer.tokens, true));
  EXPECT_THAT(answer.tokens, ::testing::Not(::testing::Contains(2)));
  EXPECT_EQ(answer.prompt_tokens, static_cast<int>(loaded_.tokenizer->Encode(prompts_[0], true).size()));
}

TEST_F(GeneratorTest, TheLimitOfNewTokensCutsAnAnswer) {
  const std::vector<int32_t> whole = One(prompts_[0]).tokens;
  ASSERT_GT(whole.size(), 4u);
  task_.max_new_tokens = 4;
  const Generated cut = One(prompts_[0]);
  EXPECT_EQ(cut.finish, FinishReason::kLength);
  EXPECT_EQ(cut.tokens, std::vector<int32_t>(whole.begin(), whole.begin() + 4));
}

// Every stop string that occurs in the answer ends it right before its first place, wherever the tokens' borders are.
TEST_F(GeneratorTest, AnyPartOfAnAnswerStopsIt) {
  const std::string whole = One(prompts_[0]).text;  // 10+80=90枚です。
  for (const std::string stop : {"1", "0+8", "80=90", "=", "枚", "枚で", "で", "。", "90枚です。"}) {
    task_.stop = {"never", stop};
    const Generated answer = One(prompts_[0]);
    EXPECT_EQ(answer.finish, FinishReason::kStop) << stop;
    EXPECT_EQ(answer.text, whole.substr(0, whole.find(stop))) << stop;
  }
}

TEST_F(GeneratorTest, TheFirstOfSeveralStopStringsCounts) {
  task_.stop = {"枚", "90", "です"};
  EXPECT_EQ(One(prompts_[0]).text, "10+80=");
}

TEST_F(GeneratorTest, AStopStringThatDoesNotComeChangesNothing) {
  const Generated plain = One(prompts_[0]);
  task_.stop = {"個です", "\n\n", "10+80=91"};
  const Generated watched = One(prompts_[0]);
  EXPECT_EQ(watched.text, plain.text);
  EXPECT_EQ(watched.tokens, plain.tokens);
  EXPECT_EQ(watched.finish, FinishReason::kEos);
}

TEST_F(GeneratorTest, AnAnswerDoesNotDependOnItsBatch) {
  task_.stop = {"枚"};
  const std::vector<Generated> together = Run(prompts_).value();
  ASSERT_EQ(together.size(), prompts_.size());
  task_.batch_size = 5;
  const std::vector<Generated> in_batches = Run(prompts_).value();
  for (size_t i = 0; i < prompts_.size(); ++i) {
    const Generated alone = One(prompts_[i]);
    EXPECT_EQ(together[i].text, alone.text) << prompts_[i];
    EXPECT_EQ(together[i].finish, alone.finish);
    EXPECT_EQ(in_batches[i].tokens, alone.tokens);
  }
}

TEST_F(GeneratorTest, NoPromptsGiveNoAnswers) {
  EXPECT_TRUE(Run({})->empty());
}

TEST_F(GeneratorTest, AnEmptyPromptIsContinuedFromBosAndRefusedWithoutIt) {
  EXPECT_EQ(Run({""})->front().prompt_tokens, 1);
  const absl::Status status =
      Generate(*model_, *loaded_.tokenizer, std::vector<std::string>{"a", ""}, false, task_, kNotCancelled).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1"));
}

TEST_F(GeneratorTest, APromptThatFillsTheModelGetsNoText) {
  std::string prompt;
  for (int i = 0; i < 400; ++i) prompt += "葵";  // of 256 positions
  const std::vector<Generated> answers = Run({prompt, prompts_[0]}).value();
  EXPECT_EQ(answers[0].text, "");
  EXPECT_EQ(answers[0].finish, FinishReason::kLength);
  EXPECT_EQ(answers[1].text, "10+80=90枚です。");
}

TEST_F(GeneratorTest, CancellingEndsIt) {
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(Run(prompts_, cancelled).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(GeneratorTest, AModelThatComputesNaNIsDataLoss) {
  for (const MutableTensor& slot : model_->slots()) {
    if (slot.name == "model.norm.weight")
      *reinterpret_cast<float*>(slot.data) = std::numeric_limits<float>::quiet_NaN();
  }
  ASSERT_TRUE(model_->WeightsChanged().ok());
  EXPECT_EQ(Run({prompts_[0]}).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace heterosis
