// SPDX-License-Identifier: Apache-2.0
// `worker generate`: what it prints, and its errors. That the texts are those of transformers is the matter of
// tests/differential/cli.
#include "worker/cli/generate.h"

#include "gmock/gmock.h"
#include "tests/unit/worker/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class GenerateCommandTest : public CommandTest {
 protected:
  GenerateCommandTest() {
    command_.model = DemoModel("ja");
    command_.device = OpenCpu(1);
    command_.task.max_new_tokens = 16;
  }
  std::string Error() { return std::string(GenerateTexts(command_).status().message()); }

  GenerateCommand command_;
};

TEST_F(GenerateCommandTest, PrintsTheTextsWithABlankLineBetweenThem) {
  command_.prompt = "問: 葵は桃を66個持っていましたが、大和に53個渡しました。葵には何個残りますか。\n答:";
  EXPECT_EQ(*GenerateTexts(command_), "66-53=24個です。\n");
  Write("prompts.jsonl", "{\"prompt\": \"問: \"}\n\n{\"prompt\": \"a\", \"other\": 1}\r\n");
  command_.prompt = "";
  command_.prompts_file = folder_ / "prompts.jsonl";
  const std::string text = *GenerateTexts(command_);
  EXPECT_THAT(text, HasSubstr("\n\n"));
}

TEST_F(GenerateCommandTest, PrintsOneJsonDocument) {
  Write("prompts.jsonl", "{\"prompt\": \"問: 3と4の和は。\\n答:\"}\n{\"prompt\": \"\\\"x\\\"\"}\n");
  command_.prompts_file = folder_ / "prompts.jsonl";
  command_.json = true;
  command_.task.max_new_tokens = 3;
  const std::string text = *GenerateTexts(command_);
  EXPECT_EQ(text.back(), '\n');
  const Json document = *ParseJson(text.substr(0, text.size() - 1));
  ASSERT_EQ(document["outputs"].size(), 2u);
  const Json& first = document["outputs"][0];
  EXPECT_EQ(first.size(), 4u);
  EXPECT_EQ(first["prompt"], "問: 3と4の和は。\n答:");
  EXPECT_TRUE(first["text"].is_string());
  EXPECT_EQ(first["tokens"].size(), 3u);
  EXPECT_EQ(first["finish"], "length");
}

TEST_F(GenerateCommandTest, TellsWhichLineOfThePromptsIsWrong) {
  command_.prompts_file = folder_ / "prompts.jsonl";
  EXPECT_THAT(Error(), HasSubstr("prompts.jsonl"));  // no such file
  Write("prompts.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": 5}\n");
  EXPECT_THAT(Error(), HasSubstr("prompts.jsonl:2: \"prompt\""));
  Write("prompts.jsonl", "\n\nnonsense\n");
  EXPECT_THAT(Error(), HasSubstr("prompts.jsonl:3: "));
  Write("prompts.jsonl", "\n");
  EXPECT_THAT(Error(), HasSubstr("no prompts in it"));
}

TEST_F(GenerateCommandTest, WantsExactlyOneFormOfPrompts) {
  EXPECT_THAT(Error(), HasSubstr("either --prompt TEXT or --prompts"));
  command_.prompt = "a";
  command_.prompts_file = "b";
  EXPECT_THAT(Error(), HasSubstr("either --prompt TEXT or --prompts"));
}

TEST_F(GenerateCommandTest, AFolderThatIsNoModelIsAClearError) {
  command_.prompt = "a";
  command_.model = "no/such/model";
  EXPECT_THAT(Error(), StartsWith("no/such/model: no such model folder"));

  command_.model = folder_.path();
  EXPECT_THAT(Error(), HasSubstr("config.json"));

  std::filesystem::copy_file(DemoModel("ja") + "/config.json", folder_ / "config.json");
  EXPECT_THAT(Error(), HasSubstr("neither model.safetensors nor"));
  Write("pytorch_model.bin", "pickle");
  EXPECT_THAT(Error(), HasSubstr("convert the model to safetensors first"));
}

}  // namespace
}  // namespace heterosis
