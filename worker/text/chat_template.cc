// SPDX-License-Identifier: Apache-2.0
// Implements chat_template.h.
#include "worker/text/chat_template.h"

#include <map>
#include <utility>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/jinja_evaluator.h"
#include "worker/text/jinja_parser.h"

namespace heterosis {

absl::StatusOr<std::optional<std::string>> ReadChatTemplate(const std::string& model_folder) {
  const std::string own = model_folder + "/chat_template.jinja", config_path = model_folder + "/tokenizer_config.json";
  if (FileExists(own)) return ReadFile(own);
  if (!FileExists(config_path)) return std::nullopt;
  ASSIGN_OR_RETURN(const Json config, ReadJsonFile(config_path));
  const Json* value = JsonFind(config, "chat_template");
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  for (size_t i = 0; value->is_array() && i < value->size(); ++i) {
    const absl::StatusOr<std::string> name = JsonString((*value)[i], "name");
    if (name.ok() && *name == "default") {
      absl::StatusOr<std::string> text = JsonString((*value)[i], "template");
      if (!text.ok()) return Annotate(text.status(), config_path + ": chat_template");
      return *std::move(text);
    }
  }
  return absl::InvalidArgumentError(config_path +
                                    ": chat_template: must be a string, or a list with one named \"default\"");
}

absl::StatusOr<std::string> RenderChatTemplate(std::string_view chat_template, const std::vector<ChatMessage>& messages,
                                               const ChatTemplateOptions& options) {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", RepairUtf8(message.role)}, {"content", RepairUtf8(message.content)}});
  }
  std::map<std::string, JinjaValue> variables;
  variables["messages"] = JinjaValue::Of(std::move(list));
  variables["add_generation_prompt"] = JinjaValue::Of(options.add_generation_prompt);
  if (!options.bos_token.empty()) variables["bos_token"] = JinjaValue::Of(options.bos_token);
  if (!options.eos_token.empty()) variables["eos_token"] = JinjaValue::Of(options.eos_token);
  variables["tools"] = JinjaValue::Of(Json());
  variables["documents"] = JinjaValue::Of(Json());
  absl::StatusOr<JinjaNodePtr> root = ParseJinja(RepairUtf8(chat_template));
  if (!root.ok()) return Annotate(root.status(), "chat template");
  absl::StatusOr<std::string> text = EvaluateJinja(**root, std::move(variables));
  if (!text.ok()) return Annotate(text.status(), "chat template");
  return text;
}

}  // namespace heterosis
