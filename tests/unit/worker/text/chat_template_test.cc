// SPDX-License-Identifier: Apache-2.0
// Where a chat template comes from, and how it fails: with its line, and in bounded time. That texts are those of
// transformers is the matter of tests/differential/text.
#include "worker/text/chat_template.h"

#include "gmock/gmock.h"
#include "tests/unit/worker/text/fixture.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Rendered(std::string_view source, const std::string& content = "Hi") {
  const absl::StatusOr<std::string> text =
      RenderChatTemplate(source, {{"user", content}}, {.bos_token = "<s>", .eos_token = "</s>"});
  return text.ok() ? *text : "error: " + std::string(text.status().message());
}

std::string Repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST_F(TextTest, TheTemplatesOwnFileGoesBeforeTheConfig) {
  EXPECT_EQ(*ReadChatTemplate(folder_.path()), std::nullopt);
  Write("tokenizer_config.json", R"({"bos_token": "<s>"})");
  EXPECT_EQ(*ReadChatTemplate(folder_.path()), std::nullopt);
  Write("tokenizer_config.json", R"({"chat_template": "from the config"})");
  EXPECT_EQ(*ReadChatTemplate(folder_.path()), "from the config");
  Write("tokenizer_config.json",
        R"({"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]})");
  EXPECT_EQ(*ReadChatTemplate(folder_.path()), "d");
  Write("chat_template.jinja", "own file");
  EXPECT_EQ(*ReadChatTemplate(folder_.path()), "own file");
}

TEST_F(TextTest, ATemplateOfAnotherTypeIsAnError) {
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "t"}]})");
  EXPECT_THAT(std::string(ReadChatTemplate(folder_.path()).status().message()),
              HasSubstr("tokenizer_config.json: chat_template: must be a string, or a list with one named"));
  Write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_FALSE(ReadChatTemplate(folder_.path()).ok());
}

TEST(ChatTemplate, GetsTheMessagesAndTheTokens) {
  EXPECT_EQ(Rendered("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m['content'] }}{% endfor %}"
                     "{{ eos_token }}{% if add_generation_prompt %}>{% endif %}"),
            "<s>[user] Hi</s>>");
}

TEST(ChatTemplate, TheUsersTextIsNoTemplate) {
  EXPECT_EQ(Rendered("{{ messages[0].content }}", "{{ bos_token }}{% if %}"), "{{ bos_token }}{% if %}");
  EXPECT_EQ(Rendered("{{ messages[0].content }}", "a\xFF"), "a\uFFFD");
}

TEST(ChatTemplate, ATokenThatTheModelLacksIsUndefined) {
  const std::string source = "{{ bos_token is defined }}{{ bos_token }}";
  EXPECT_EQ(*RenderChatTemplate(source, {}, {}), "False");
  EXPECT_EQ(Rendered(source), "True<s>");
}

TEST(ChatTemplate, ErrorsNameTheLine) {
  EXPECT_THAT(Rendered("a\n{% if true %}\n{{ 'x' | mystery }}{% endif %}"),
              AllOf(HasSubstr("chat template: line 3"), HasSubstr("the filter \"mystery\" is not supported")));
  EXPECT_THAT(Rendered("\n\n{% macro f() %}{% endmacro %}"),
              AllOf(HasSubstr("line 3"), HasSubstr("\"macro\" is not supported")));
  EXPECT_THAT(Rendered("\n{% if true %}"), HasSubstr("expected"));
  EXPECT_THAT(Rendered("{{ strftime_now('%d') }}"), HasSubstr("strftime_now"));
}

TEST(ChatTemplate, ARefusalOfTheTemplateIsToldInItsWords) {
  EXPECT_THAT(Rendered("{{ raise_exception('system messages only') }}"),
              HasSubstr("the template refuses these messages: system messages only"));
}

TEST(ChatTemplate, AHostileTemplateEndsInBoundedTimeAndSpace) {
  const std::string loop = "{% for a in range(99999) %}";
  EXPECT_THAT(Rendered(Repeated(loop, 4) + Repeated("{% endfor %}", 4)), HasSubstr("runs for too long"));
  // The template's fault: RESOURCE_EXHAUSTED would say that the model does not fit into memory.
  EXPECT_EQ(RenderChatTemplate(Repeated(loop, 4) + Repeated("{% endfor %}", 4), {}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Rendered("{% set ns = namespace(x='0123456789') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}"
                       "{% endfor %}"),
              HasSubstr("too long"));
  EXPECT_THAT(Rendered(Repeated("{% if true %}", 5000) + Repeated("{% endif %}", 5000)), HasSubstr("nested"));
  EXPECT_THAT(Rendered("{{ " + Repeated("(", 5000) + "1" + Repeated(")", 5000) + " }}"), HasSubstr("nested"));
  EXPECT_THAT(Rendered("{{ " + Repeated("[", 5000) + Repeated("]", 5000) + " }}"), HasSubstr("error"));
  EXPECT_THAT(Rendered("{{ 1" + Repeated(" + 1", 5000) + " }}"), HasSubstr("too long"));
  EXPECT_THAT(Rendered("{{ " + Repeated("not ", 5000) + "1 }}"), HasSubstr("nested"));
  EXPECT_THAT(Rendered("{{ 1 if " + Repeated("1 if ", 5000) + "1 }}"), HasSubstr("error"));
}

TEST(ChatTemplate, CutOffTemplatesAreErrorsOrTexts) {
  const std::string source =
      "{%- for m in messages if m.role != 'x' -%}{{ m['content'][1:] | trim ~ \"\\u3042\" }}{# c #}{%- else -%}"
      "{% set a = [1, {'b': 2}] %}{{ (1, 2) is defined }}{%- endfor -%}";
  EXPECT_EQ(Rendered(source), "iあ");
  for (size_t length = 0; length < source.size(); ++length) Rendered(source.substr(0, length));  // must not crash
}

}  // namespace
}  // namespace heterosis
