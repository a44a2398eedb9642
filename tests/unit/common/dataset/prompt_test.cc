// SPDX-License-Identifier: Apache-2.0
// Tests prompt templates: the built-in ones, and where the question goes.
#include "common/dataset/prompt.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

TEST(Prompt, ThePapersPromptIsLetterForLetterTheAuthors) {
  constexpr std::string_view kExpected =
      "以下に、あるタスクを説明する指示があります。リクエストを適切に完了するための回答を日本語で記述してください。"
      "一歩一歩考えましょう。\n\n### 指示:\n全部で何個ですか？\n\n### 応答:";
  EXPECT_EQ(RenderPrompt(*BuiltInPrompt("ja-alpaca-cot"), "全部で何個ですか？"), kExpected);
}

TEST(Prompt, EveryBuiltInNameHasAPrompt) {
  EXPECT_THAT(BuiltInPromptNames(), testing::ElementsAre("ja-alpaca-cot", "plain"));
  for (const std::string& name : BuiltInPromptNames()) EXPECT_TRUE(HasPlaceForQuestion(BuiltInPrompt(name).value()));
}

TEST(Prompt, PlainIsJustTheQuestion) {
  EXPECT_EQ(RenderPrompt(*BuiltInPrompt("plain"), "How many?"), "How many?");
  EXPECT_EQ(RenderPrompt("", "How many?"), "How many?");
}

TEST(Prompt, UnknownNameIsAnErrorThatListsTheKnown) {
  for (const std::string_view name : {"", "ja", "Plain"}) {
    const absl::Status status = BuiltInPrompt(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("known: ja-alpaca-cot, plain"));
  }
}

TEST(Prompt, EveryPlaceIsFilledAndTheQuestionIsNoTemplate) {
  EXPECT_EQ(RenderPrompt("{input}, again: {input}.", "1+1"), "1+1, again: 1+1.");
  EXPECT_EQ(RenderPrompt("Q: {input}\nA:", "what is {input} and {x}?"), "Q: what is {input} and {x}?\nA:");
  EXPECT_EQ(RenderPrompt("{{input}} {Input} {input", "q"), "{q} {Input} {input");
  EXPECT_EQ(RenderPrompt("Q: {input}", ""), "Q: ");
}

TEST(Prompt, TemplateWithoutAPlaceIsTold) {
  EXPECT_TRUE(HasPlaceForQuestion("{input}"));
  EXPECT_TRUE(HasPlaceForQuestion("a{input}b"));
  EXPECT_TRUE(HasPlaceForQuestion(""));
  EXPECT_FALSE(HasPlaceForQuestion("Answer the question."));
  EXPECT_FALSE(HasPlaceForQuestion("{question} {Input} {input"));
}

}  // namespace
}  // namespace heterosis
