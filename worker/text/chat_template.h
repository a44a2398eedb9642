// SPDX-License-Identifier: Apache-2.0
// Turns a conversation into a prompt with the chat template (Jinja) that ships with a model.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

struct ChatMessage {
  std::string role, content;
};

struct ChatTemplateOptions {
  bool add_generation_prompt = true;  // end with the beginning of the assistant's answer
  std::string bos_token, eos_token;   // as text; "" where the model has none: undefined in the template
};

// The folder's template: chat_template.jinja, else "chat_template" of tokenizer_config.json (of several, the one
// called "default"); nothing where the model has none.
absl::StatusOr<std::optional<std::string>> ReadChatTemplate(const std::string& model_folder);

// Equal to transformers' apply_chat_template(tokenize=False) for the part of Jinja that templates of Llama, Mistral,
// ChatML, Zephyr and Qwen use. What is not known (macros, many filters) is an error that names it and its line, as is
// what the template itself refuses. strftime_now is undefined here: a prompt must not depend on the date.
absl::StatusOr<std::string> RenderChatTemplate(std::string_view chat_template, const std::vector<ChatMessage>& messages,
                                               const ChatTemplateOptions& options);

}  // namespace heterosis
