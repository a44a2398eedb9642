// SPDX-License-Identifier: Apache-2.0
// One YAML scalar into one protobuf field, by the field's type and rule.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "yaml-cpp/yaml.h"

namespace heterosis {

// Sets (or, for a list, appends to) `field` of `message`, which is no message itself. Returns "" or what is wrong, to
// be put after the key's name: "must be true or false, but is \"yes\"". Nothing is set then.
std::string SetScalar(const YAML::Node& node, const std::string& folder, const google::protobuf::FieldDescriptor* field,
                      google::protobuf::Message& message);

}  // namespace heterosis
