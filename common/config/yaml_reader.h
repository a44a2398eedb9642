// SPDX-License-Identifier: Apache-2.0
// YAML into a protobuf message by reflection: the schema and its rules (options.proto) say what is allowed.
#pragma once

#include <string>

#include "common/config/issues.h"
#include "google/protobuf/message.h"
#include "yaml-cpp/yaml.h"

namespace heterosis {

// Fills `message` with what `root` gives; everything wrong goes to `issues`, and is left out of the message. Paths are
// taken relative to `folder`. A message of type Range may also be written [low, high], or as one number, which fixes
// it. Lets yaml-cpp's exceptions through.
void ReadYaml(const YAML::Node& root, const std::string& folder, ConfigIssues& issues,
              google::protobuf::Message& message);

}  // namespace heterosis
