// SPDX-License-Identifier: Apache-2.0
// Implements semantic.h: models, data and task; semantic_phase.cc has the phases.
#include "common/config/semantic.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/config/chat.h"
#include "common/config/language_codes.h"
#include "common/config/model_folder.h"
#include "common/config/semantic_phase.h"
#include "common/config/suggest.h"
#include "common/dataset/prompt.h"

namespace heterosis {
namespace {

// All models must have one shape but for their depth; returns that, empty where one cannot be read.
ModelLayers CheckModels(const v1::Experiment& config, ConfigIssues& issues) {
  std::optional<ModelShape> first;
  std::string first_path;
  bool readable = config.models_size() > 0;
  ModelLayers layers;
  std::set<std::string> names;
  for (int i = 0; i < config.models_size(); ++i) {
    const v1::Model& model = config.models(i);
    const std::string key = absl::StrCat("models[", i, "]");
    CheckName(key + ".name", model.name(), issues);
    if (!model.name().empty() && !names.insert(model.name()).second) {
      issues.Add(key + ".name", absl::StrCat("two models have the name \"", model.name(), "\"; rename one"));
    }
    if (model.path().empty()) {
      readable = false;
      continue;
    }
    absl::StatusOr<ModelShape> shape = ReadModelShape(model.path());
    if (!shape.ok()) {
      issues.Add(key + ".path", std::string(shape.status().message()));
      readable = false;
      continue;
    }
    layers[model.name()] = shape->layers;
    if (!first.has_value()) {
      first = *std::move(shape);
      first_path = model.path();
      continue;
    }
    const std::string difference = ShapeDifference(*shape, model.path(), *first, first_path);
    if (!difference.empty()) {
      issues.Add(key + ".path", difference);
      readable = false;
    }
  }
  return readable ? layers : ModelLayers();
}

bool IsMerge(const v1::Phase& phase) {
  return phase.space() == v1::Phase::PS;
}

void CheckReferences(const v1::Experiment& config, ConfigIssues& issues) {
  if (!config.base().empty()) CheckModelName("base", config.base(), config, issues);
  if (!config.tokenizer().empty()) {
    CheckModelName("tokenizer", config.tokenizer(), config, issues);
  } else if (config.base().empty() && std::any_of(config.phases().begin(), config.phases().end(), IsMerge)) {
    issues.Add("tokenizer", "without a base, `tokenizer` must name the model whose tokenizer a merge gets");
  }
}

// "first:end" in whole numbers, either of which may be missing.
bool IsRows(std::string_view rows) {
  const size_t colon = rows.find(':');
  if (colon == std::string_view::npos) return false;
  for (const std::string_view part : {rows.substr(0, colon), rows.substr(colon + 1)}) {
    int64_t value = 0;
    if (!part.empty() && !absl::SimpleAtoi(std::string(part), &value)) return false;
  }
  return true;
}

void CheckColumn(const std::string& key, const std::string& column, ConfigIssues& issues) {
  int number = -1;
  if (absl::SimpleAtoi(column, &number) && number >= 0) return;
  issues.Add(
      key, absl::StrCat(key, " must be a column number from 0, since the file is a TSV file, but is \"", column, "\""));
}

void CheckDataSet(const v1::DataSet& data, const std::string& key, ConfigIssues& issues) {
  if (data.path().empty()) return;
  if (!FileExists(data.path())) {
    issues.Add(key + ".path", absl::StrCat(key, ".path is no file: ", data.path()));
  }
  const bool jsonl = data.path().ends_with(".jsonl") || data.path().ends_with(".json");
  const bool tsv = data.path().ends_with(".tsv");
  if (data.format() == v1::DataSet::AUTO && !jsonl && !tsv) {
    issues.Add(key + ".path",
               absl::StrCat(key, ".path ends neither in .jsonl nor in .tsv; say `format: jsonl` or `format: tsv`"));
  }
  if (data.format() == v1::DataSet::TSV || (data.format() == v1::DataSet::AUTO && tsv)) {
    CheckColumn(key + ".question", data.question(), issues);
    CheckColumn(key + ".answer", data.answer(), issues);
  } else {
    if (data.question().empty())
      issues.Add(key + ".question", absl::StrCat(key, ".question must be a key of the JSON lines"));
    if (data.answer().empty())
      issues.Add(key + ".answer", absl::StrCat(key, ".answer must be a key of the JSON lines"));
  }
  if (data.has_rows() && !IsRows(data.rows())) {
    issues.Add(key + ".rows",
               absl::StrCat(key, ".rows must be \"first:end\" in row numbers, as in \"0:200\" or \"-200:\", but is \"",
                            data.rows(), "\""));
  }
}

void CheckData(const v1::Data& data, ConfigIssues& issues) {
  if (data.has_search()) CheckDataSet(data.search(), "data.search", issues);
  if (data.has_validation()) CheckDataSet(data.validation(), "data.validation", issues);
  if (data.has_test()) CheckDataSet(data.test(), "data.test", issues);
}

void CheckPrompt(const v1::Prompt& prompt, ConfigIssues& issues) {
  const std::vector<std::string> templates = BuiltInPromptNames();
  if (prompt.has_template_() && prompt.has_text()) {
    issues.Add("task.prompt", "task.prompt has both `template` and `text`; remove one of the two");
  } else if (!prompt.has_template_() && !prompt.has_text() && !prompt.chat()) {
    issues.Add("task.prompt", absl::StrCat("task.prompt needs `template: ", absl::StrJoin(templates, "`, `template: "),
                                           "` or an own `text` with {input}"));
  }
  if (prompt.has_template_() && std::find(templates.begin(), templates.end(), prompt.template_()) == templates.end()) {
    issues.Add("task.prompt.template", absl::StrCat("task.prompt.template \"", prompt.template_(), "\" is not known",
                                                    Suggestion(prompt.template_(), templates)));
  }
  if (prompt.has_text() && prompt.text().find("{input}") == std::string::npos) {
    issues.Add("task.prompt.text", "task.prompt.text must contain {input}, where the question goes");
  }
}

void CheckTask(const v1::Task& task, ConfigIssues& issues) {
  CheckPrompt(task.prompt(), issues);
  for (int i = 0; i < task.decoding().stop_size(); ++i) {
    if (!task.decoding().stop(i).empty()) continue;
    issues.Add(absl::StrCat("task.decoding.stop[", i, "]"),
               "a stop text must not be empty, it would end every answer at once");
  }
  const std::string& language = task.language().expect();
  const std::vector<std::string>& codes = LanguageCodes();
  if (!language.empty() && !std::binary_search(codes.begin(), codes.end(), language)) {
    const std::string closest = Closest(language, codes);
    issues.Add(
        "task.language.expect",
        absl::StrCat("task.language.expect must be a language code such as ja or en that lid.176 knows, but is \"",
                     language, "\"", closest.empty() ? "" : absl::StrCat("; did you mean \"", closest, "\"?")));
  }
}

}  // namespace

void CheckConfig(const v1::Experiment& config, ConfigIssues& issues) {
  CheckName("name", config.name(), issues);
  const ModelLayers layers = CheckModels(config, issues);
  CheckReferences(config, issues);
  if (config.has_data()) CheckData(config.data(), issues);
  if (config.has_task()) CheckTask(config.task(), issues);
  CheckChat(config, issues);
  CheckPhases(config, layers, issues);
}

}  // namespace heterosis
