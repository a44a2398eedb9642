// SPDX-License-Identifier: Apache-2.0
// The door to yaml-cpp: parses one YAML document without throwing, and says where a node stands.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "yaml-cpp/yaml.h"

namespace heterosis {

// The root of the only document in `text`; `file` is the name that errors begin with. Text that is not UTF-8 or not
// YAML, nesting deeper than yaml-cpp's limit (500), no document or several ones are errors "file:line: what".
// Aliases are not expanded: a walk over the nodes needs a bound of its own (they may even form cycles), and a map may
// hold a key twice.
absl::StatusOr<YAML::Node> ParseYamlDocument(std::string_view text, const std::string& file);

// The 1-based line where a node begins.
int LineOf(const YAML::Node& node);

// Whether `node` is a scalar written without quotes, as numbers and booleans must be.
bool IsPlainScalar(const YAML::Node& node);

}  // namespace heterosis
