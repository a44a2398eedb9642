// SPDX-License-Identifier: Apache-2.0
// Implements prompt.h.
#include "common/dataset/prompt.h"

#include <array>

#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr std::string_view kPlaceholder = "{input}";

// The prompt that the paper's authors give to every model (facts in shared/facts/paper.md): "Below is an instruction
// that describes a task. Write a response in Japanese that completes the request. Let's think step by step."
constexpr std::string_view kJaAlpacaCot =
    "以下に、あるタスクを説明する指示があります。リクエストを適切に完了するための回答を日本語で記述してください。"
    "一歩一歩考えましょう。\n\n### 指示:\n{input}\n\n### 応答:";

struct BuiltIn {
  std::string_view name, text;
};
constexpr std::array kBuiltIns = {BuiltIn{"ja-alpaca-cot", kJaAlpacaCot}, BuiltIn{"plain", kPlaceholder}};

}  // namespace

absl::StatusOr<std::string> BuiltInPrompt(std::string_view name) {
  for (const BuiltIn& prompt : kBuiltIns) {
    if (prompt.name == name) return std::string(prompt.text);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown prompt template \"", std::string(name), "\" (known: ",
                                                 absl::StrJoin(BuiltInPromptNames(), ", "), "; or give an own text)"));
}

std::vector<std::string> BuiltInPromptNames() {
  std::vector<std::string> names;
  for (const BuiltIn& prompt : kBuiltIns) names.emplace_back(prompt.name);
  return names;
}

std::string RenderPrompt(std::string_view prompt_template, std::string_view question) {
  if (prompt_template.empty()) return std::string(question);
  std::string prompt;
  for (;;) {
    const size_t place = prompt_template.find(kPlaceholder);
    prompt += prompt_template.substr(0, place);
    if (place == std::string_view::npos) return prompt;
    prompt += question;
    prompt_template.remove_prefix(place + kPlaceholder.size());
  }
}

bool HasPlaceForQuestion(std::string_view prompt_template) {
  return prompt_template.empty() || prompt_template.find(kPlaceholder) != std::string_view::npos;
}

}  // namespace heterosis
