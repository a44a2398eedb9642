// SPDX-License-Identifier: Apache-2.0
// Implements chat.h.
#include "common/config/chat.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "common/config/resolve.h"

namespace heterosis {
namespace {

// The names of the models that are asked: of the merges' tokenizer, and of the parents.
std::set<std::string> AskedModels(const v1::Experiment& config) {
  std::set<std::string> names = {config.tokenizer().empty() ? config.base() : config.tokenizer()};
  for (const v1::Phase& phase : config.phases()) {
    const std::vector<std::string> sources = SourcesOf(config, phase.merge());
    names.insert(sources.begin(), sources.end());
    if (phase.merge().method() == v1::Merge::SLERP) names.insert(config.base());
  }
  return names;
}

}  // namespace

absl::StatusOr<bool> HasChatTemplate(const std::string& folder) {
  if (FileExists(folder + "/chat_template.jinja")) return true;
  const std::string path = folder + "/tokenizer_config.json";
  if (!FileExists(path)) return false;
  ASSIGN_OR_RETURN(const Json config, ReadJsonFile(path));
  const Json* value = JsonFind(config, "chat_template");
  if (value == nullptr || !value->is_array()) return value != nullptr && value->is_string();
  return std::any_of(value->begin(), value->end(), [](const Json& item) {
    const absl::StatusOr<std::string> name = JsonString(item, "name");
    return name.ok() && *name == "default";
  });
}

void CheckChat(const v1::Experiment& config, ConfigIssues& issues) {
  if (!config.task().prompt().chat()) return;
  const std::set<std::string> names = AskedModels(config);
  std::vector<std::string> lacking;
  for (const v1::Model& model : config.models()) {
    if (!names.contains(model.name()) || !IsDirectory(model.path())) continue;
    const absl::StatusOr<bool> has = HasChatTemplate(model.path());
    if (!has.ok()) {
      issues.Add("task.prompt.chat", absl::StrCat("task.prompt.chat: ", has.status().message()));
    } else if (!*has) {
      lacking.push_back(model.path());
    }
  }
  if (lacking.empty()) return;
  issues.Add("task.prompt.chat",
             absl::StrCat("task.prompt.chat: there is no chat template (neither chat_template.jinja nor "
                          "\"chat_template\" in tokenizer_config.json) in ",
                          absl::StrJoin(lacking, ", "), "; leave `chat` out, or take models that have one"));
}

}  // namespace heterosis
