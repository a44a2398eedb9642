// SPDX-License-Identifier: Apache-2.0
// Implements generate.h.
#include "worker/cli/generate.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "worker/evaluate/generator.h"
#include "worker/evaluate/model_library.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

absl::StatusOr<std::vector<std::string>> ReadPrompts(const GenerateCommand& command) {
  if (command.prompts_file.empty() == command.prompt.empty()) {
    return absl::InvalidArgumentError("give either --prompt TEXT or --prompts FILE.jsonl");
  }
  if (command.prompts_file.empty()) return std::vector<std::string>{command.prompt};
  ASSIGN_OR_RETURN(const std::string text, ReadFile(command.prompts_file));
  std::vector<std::string> prompts;
  int line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string place = absl::StrCat(command.prompts_file, ":", line_number);
    absl::StatusOr<Json> value = ParseJson({line.data(), line.size()});
    if (!value.ok()) return Annotate(value.status(), place);
    absl::StatusOr<std::string> prompt = JsonString(*value, "prompt");
    if (!prompt.ok()) return Annotate(prompt.status(), place);
    prompts.push_back(*std::move(prompt));
  }
  if (prompts.empty()) return absl::InvalidArgumentError(absl::StrCat(command.prompts_file, ": no prompts in it"));
  return prompts;
}

}  // namespace

absl::StatusOr<std::string> GenerateTexts(const GenerateCommand& command) {
  ASSIGN_OR_RETURN(const std::vector<std::string> prompts, ReadPrompts(command));
  ASSIGN_OR_RETURN(const LoadedModel loaded, OpenModel(command.model));
  ASSIGN_OR_RETURN(const std::unique_ptr<Model> model,
                   LoadForDecoding(loaded, command.device, command.task.compute_dtype));
  const std::atomic<bool> never_cancelled = false;
  ASSIGN_OR_RETURN(
      const std::vector<Generated> outputs,
      Generate(*model, *loaded.tokenizer, prompts, /*add_special_tokens=*/true, command.task, never_cancelled));
  if (command.json) {
    Json document;
    document["outputs"] = Json::array();
    for (size_t i = 0; i < outputs.size(); ++i) {
      document["outputs"].push_back({{"prompt", prompts[i]},
                                     {"text", outputs[i].text},
                                     {"tokens", outputs[i].tokens},
                                     {"finish", std::string(Name(outputs[i].finish))}});
    }
    return JsonText(document) + "\n";
  }
  std::string text;
  for (size_t i = 0; i < outputs.size(); ++i) absl::StrAppend(&text, i == 0 ? "" : "\n", outputs[i].text, "\n");
  return text;
}

}  // namespace heterosis
