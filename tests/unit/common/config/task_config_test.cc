// SPDX-License-Identifier: Apache-2.0
// A config's task and data sets as the domain has them.
#include "common/config/task_config.h"

#include "gmock/gmock.h"
#include "tests/unit/common/config/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TaskConfigTest : public ConfigTest {
 protected:
  void SetUp() override {
    ConfigTest::SetUp();
    for (const std::string model : {"base", "ja", "math"}) Write("models/" + model + "/chat_template.jinja", "");
  }

  // The task of the sound config with its task section replaced by `lines`.
  Task TaskWith(const std::string& lines, const std::string& evaluation = "") {
    std::string text(kSoundConfig);
    const size_t begin = text.find("task:\n");
    const size_t end = text.find("phases:\n");
    text.replace(begin, end - begin, "task:\n" + lines);
    EXPECT_THAT(Errors(text + evaluation), IsEmpty());
    return TaskFromConfig(config_);
  }
};

TEST_F(TaskConfigTest, EveryKeyOfTheTaskArrives) {
  const Task task = TaskWith(
      "  prompt: {text: \"Q: {input}\\nA:\", chat: true}\n"
      "  decoding: {max_new_tokens: 64, stop: [\"END\", \"\\n\\n\"], repetition_window: 32}\n"
      "  scorer: {mode: paper}\n"
      "  language: {expect: ja, threshold: 0.25}\n",
      "evaluation: {dtype: float32, batch_size: 7}\n");
  Task expected;
  expected.prompt_template = "Q: {input}\nA:";
  expected.chat = true;
  expected.max_new_tokens = 64;
  expected.stop = {"END", "\n\n"};
  expected.repetition_window = 32;
  expected.number_mode = NumberMode::kPaper;
  expected.language = "ja";
  expected.language_threshold = 0.25;
  expected.compute_dtype = DType::kFloat32;
  expected.batch_size = 7;
  EXPECT_EQ(task, expected);
}

TEST_F(TaskConfigTest, WhatIsLeftOutHasTheDefaultsOfTheSchema) {
  Task expected;
  expected.prompt_template = "{input}";
  expected.max_new_tokens = 1024;
  expected.repetition_window = 128;
  expected.number_mode = NumberMode::kRobust;
  expected.language = "";
  expected.language_threshold = 0.5;
  expected.compute_dtype = DType::kBFloat16;
  expected.batch_size = 64;
  EXPECT_EQ(TaskWith("  prompt: {template: plain}\n"), expected);
}

TEST_F(TaskConfigTest, TheNameOfABuiltInTemplateBecomesItsText) {
  const Task task = TaskWith("  prompt: {template: ja-alpaca-cot}\n");
  EXPECT_THAT(task.prompt_template, HasSubstr("一歩一歩考えましょう。\n\n### 指示:\n{input}\n\n### 応答:"));
  EXPECT_FALSE(task.chat);
}

TEST_F(TaskConfigTest, AChatAloneAsksJustTheQuestion) {
  const Task task = TaskWith("  prompt: {chat: true}\n");
  EXPECT_EQ(task.prompt_template, "");
  EXPECT_TRUE(task.chat);
}

TEST_F(TaskConfigTest, DataSetsKeepTheirColumnsAndRows) {
  ASSERT_THAT(Errors(std::string(kSoundConfig)), IsEmpty());
  const DataSetOptions validation = DataSetFromConfig(config_.data().validation());
  EXPECT_EQ(validation.path, folder_ / "search.jsonl");
  EXPECT_EQ(validation.format, DataFormat::kJsonl);
  EXPECT_EQ(validation.question, "question");
  EXPECT_EQ(validation.answer, "answer");
  EXPECT_EQ(validation.rows, "-2:");
  const DataSetOptions test = DataSetFromConfig(config_.data().test());
  EXPECT_EQ(test.format, DataFormat::kTsv);
  EXPECT_EQ(test.question, "0");
  EXPECT_EQ(test.answer, "1");
  EXPECT_EQ(test.rows, "");
}

TEST_F(TaskConfigTest, TheProblemsOfADataSetCanBeRead) {
  Write("test.tsv", "What is 1+1?\t2\nWhat is 1+2?\t3\n");
  ASSERT_THAT(Errors(With("    answer: 1\n", "    answer: 1\n    rows: \"1:\"\n")), IsEmpty());
  const absl::StatusOr<std::vector<Problem>> problems = ReadProblems(DataSetFromConfig(config_.data().test()));
  ASSERT_TRUE(problems.ok()) << problems.status();
  EXPECT_THAT(*problems, ElementsAre(Problem{"What is 1+2?", "3"}));
}

}  // namespace
}  // namespace heterosis
