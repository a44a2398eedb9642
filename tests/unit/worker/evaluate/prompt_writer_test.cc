// SPDX-License-Identifier: Apache-2.0
// From questions to prompts, with templates and chat templates.
#include "worker/evaluate/prompt_writer.h"

#include "common/base/file.h"
#include "common/dataset/prompt.h"
#include "gmock/gmock.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class PromptWriterTest : public ::testing::Test {
 protected:
  std::string Written(const Task& task, std::string_view question) {
    const absl::StatusOr<PromptWriter> writer = PromptWriter::Create(task, folder_.path());
    if (!writer.ok()) return "error: " + std::string(writer.status().message());
    const absl::StatusOr<std::string> text = writer->Write(question);
    return text.ok() ? *text : "error: " + std::string(text.status().message());
  }
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }

  TemporaryFolder folder_;
};

TEST_F(PromptWriterTest, PutsTheQuestionIntoTheTemplate) {
  Task task;
  task.prompt_template = "Q: {input}\nA:";
  EXPECT_EQ(Written(task, "1+{input}?"), "Q: 1+{input}?\nA:");
  EXPECT_TRUE(PromptWriter::Create(task, folder_.path())->add_special_tokens());
}

TEST_F(PromptWriterTest, AnEmptyTemplateIsJustTheQuestion) {
  EXPECT_EQ(Written(Task(), " 1+1? "), " 1+1? ");
}

TEST_F(PromptWriterTest, ThePapersPromptIsTheAuthors) {
  Task task;
  task.prompt_template = *BuiltInPrompt("ja-alpaca-cot");
  EXPECT_THAT(Written(task, "りんごは？"),
              AllOf(StartsWith("以下に、あるタスクを説明する指示があります。"), EndsWith("りんごは？\n\n### 応答:")));
}

TEST_F(PromptWriterTest, AChatTemplateGetsTheFilledInTextAndTheTokens) {
  Write("tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template":
            "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}[assistant]"})");
  Task task;
  task.chat = true;
  EXPECT_EQ(Written(task, "1+1?"), "<s>[user]1+1?</s>[assistant]");
  task.prompt_template = "Solve: {input}";
  EXPECT_EQ(Written(task, "{{ 1+1 }}"), "<s>[user]Solve: {{ 1+1 }}</s>[assistant]");
  // The template has written BOS itself.
  EXPECT_FALSE(PromptWriter::Create(task, folder_.path())->add_special_tokens());
}

TEST_F(PromptWriterTest, AModelWithoutAChatTemplateIsAnErrorThatNamesTheRemedy) {
  Task task;
  task.chat = true;
  const absl::Status status = PromptWriter::Create(task, folder_.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(StartsWith(folder_.path()), HasSubstr("has no chat template"), HasSubstr("leave `chat` out")));
}

TEST_F(PromptWriterTest, WhatTheChatTemplateRefusesIsAnError) {
  Write("chat_template.jinja", "{{ raise_exception('not today') }}");
  Task task;
  task.chat = true;
  EXPECT_THAT(Written(task, "1+1?"), HasSubstr("not today"));
}

}  // namespace
}  // namespace heterosis
