// SPDX-License-Identifier: Apache-2.0
// Prompt templates: texts in which {input} stands for the question.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

// The text of a built-in template: `ja-alpaca-cot` (the paper's, for every model) or `plain` (just the question).
// Another name is an error that lists them.
absl::StatusOr<std::string> BuiltInPrompt(std::string_view name);
std::vector<std::string> BuiltInPromptNames();

// `prompt_template` with every {input} replaced by `question`, whose own braces stay as they are. An empty template is
// just the question.
std::string RenderPrompt(std::string_view prompt_template, std::string_view question);

// Whether the question has a place in the template; without one every problem would get the same prompt.
bool HasPlaceForQuestion(std::string_view prompt_template);

}  // namespace heterosis
