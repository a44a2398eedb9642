// SPDX-License-Identifier: Apache-2.0
// From a problem's question to the whole prompt text: the task's template, and the tokenizer's chat template where
// asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/trial/task.h"

namespace heterosis {

// Immutable after Create, thread-safe.
class PromptWriter {
 public:
  // `model_folder` is the folder of the output tokenizer. An error where the task wants a chat template and there is
  // none.
  static absl::StatusOr<PromptWriter> Create(const Task& task, const std::string& model_folder);

  absl::StatusOr<std::string> Write(std::string_view question) const;

  // Whether Encode should add the tokenizer's special tokens: a chat template writes its own.
  bool add_special_tokens() const { return !chat_template_.has_value(); }

 private:
  PromptWriter() = default;
  std::string template_;
  std::optional<std::string> chat_template_;
  std::string bos_, eos_;
};

}  // namespace heterosis
