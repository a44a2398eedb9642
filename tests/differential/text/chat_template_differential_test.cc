// SPDX-License-Identifier: Apache-2.0
// Our chat templates against transformers' apply_chat_template: the same text, and a refusal where it refuses.
#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "common/base/json.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"
#include "worker/text/chat_template.h"

namespace heterosis {
namespace {

TEST(ChatTemplateDifferential, RendersAsTransformers) {
  const std::string python = DepsPath("venv/bin/python");
  if (!FileExists(python)) GTEST_SKIP() << "deploy/deps/install makes the Python reference";
  const TemporaryFolder folder;
  const std::string command = python + " tests/differential/text/make_chat_cases.py " + (folder / "cases.json");
  const int status = std::system(command.c_str());
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command;
  const absl::StatusOr<Json> cases = ReadJsonFile(folder / "cases.json");
  ASSERT_TRUE(cases.ok()) << cases.status();
  int texts = 0, refusals = 0;
  for (const Json& item : *cases) {
    std::vector<ChatMessage> messages;
    for (const Json& message : item["messages"]) messages.push_back({message["role"], message["content"]});
    const ChatTemplateOptions options{item["generation"], item["bos"], item["eos"]};
    const std::string source = item["template"];
    const absl::StatusOr<std::string> text = RenderChatTemplate(source, messages, options);
    const std::string place = item["name"].get<std::string>() + ": " + source.substr(0, 300);
    if (item["text"].is_null()) {
      ++refusals;
      EXPECT_FALSE(text.ok()) << place << "\nis rendered as " << *text;
    } else {
      ++texts;
      EXPECT_TRUE(text.ok()) << place << "\n" << text.status();
      if (!text.ok()) continue;
      EXPECT_EQ(*text, item["text"].get<std::string>()) << place;
    }
  }
  EXPECT_GT(texts, 100);
  EXPECT_GT(refusals, 50);
}

}  // namespace
}  // namespace heterosis
