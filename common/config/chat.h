// SPDX-License-Identifier: Apache-2.0
// The check that every model which is asked by a chat template has one.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/config/issues.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// Whether the model in `folder` has a chat template that the worker takes: chat_template.jinja, or "chat_template" in
// tokenizer_config.json (a text, or a list with one named "default"). An error where that file cannot be read.
absl::StatusOr<bool> HasChatTemplate(const std::string& folder);

// With task.prompt.chat, the model whose tokenizer the merges get must have a template, and each parent too: it is
// scored with its own tokenizer.
void CheckChat(const v1::Experiment& config, ConfigIssues& issues);

}  // namespace heterosis
