// SPDX-License-Identifier: Apache-2.0
// Implements config.h: YAML by the schema, then what the schema cannot say, then defaults that depend on other keys.
#include "common/config/config.h"

#include <filesystem>

#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "common/config/issues.h"
#include "common/config/resolve.h"
#include "common/config/semantic.h"
#include "common/config/yaml_reader.h"
#include "common/genome/yaml_document.h"

namespace heterosis {
namespace {

constexpr size_t kFileBytesMax = size_t{1} << 20;

std::string FolderOf(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::absolute(path, ignored).parent_path().lexically_normal().string();
}

}  // namespace

std::vector<std::string> ParseConfig(std::string_view text, const std::string& path, v1::Experiment& config) {
  config.Clear();
  const absl::StatusOr<YAML::Node> root = ParseYamlDocument(text, path);
  if (!root.ok()) return {std::string(root.status().message())};
  ConfigIssues issues(path);
  try {
    ReadYaml(*root, FolderOf(path), issues, config);
  } catch (const std::exception& error) {  // yaml-cpp's
    return {absl::StrCat(path, ": cannot be read as YAML: ", error.what())};
  }
  if (!root->IsMap()) return issues.Lines();
  CheckConfig(config, issues);
  ResolveConfig(config);
  return issues.Lines();
}

absl::StatusOr<v1::Experiment> ReadConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytesMax));
  v1::Experiment config;
  const std::vector<std::string> errors = ParseConfig(text, path, config);
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  return config;
}

}  // namespace heterosis
