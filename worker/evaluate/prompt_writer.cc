// SPDX-License-Identifier: Apache-2.0
// Implements prompt_writer.h.
#include "worker/evaluate/prompt_writer.h"

#include <utility>

#include "common/base/status.h"
#include "common/dataset/prompt.h"
#include "worker/text/chat_template.h"
#include "worker/text/tokenizer_files.h"

namespace heterosis {

absl::StatusOr<PromptWriter> PromptWriter::Create(const Task& task, const std::string& model_folder) {
  PromptWriter writer;
  writer.template_ = task.prompt_template;
  if (!task.chat) return writer;
  ASSIGN_OR_RETURN(writer.chat_template_, ReadChatTemplate(model_folder));
  if (!writer.chat_template_.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        model_folder,
        ": has no chat template (neither chat_template.jinja nor \"chat_template\" in tokenizer_config.json), but the "
        "task asks for one; leave `chat` out of the task's prompt, or take the tokenizer of a model that has one"));
  }
  // What transformers gives a template: the names in the tokenizer's files, not the model's ids.
  ASSIGN_OR_RETURN(const TokenizerFiles files, ReadTokenizerFiles(model_folder));
  writer.bos_ = files.bos.value_or("");
  writer.eos_ = files.eos.value_or("");
  return writer;
}

absl::StatusOr<std::string> PromptWriter::Write(std::string_view question) const {
  std::string text = RenderPrompt(template_, question);
  if (!chat_template_.has_value()) return text;
  ChatTemplateOptions options;
  options.bos_token = bos_;
  options.eos_token = eos_;
  return RenderChatTemplate(*chat_template_, {{.role = "user", .content = std::move(text)}}, options);
}

}  // namespace heterosis
