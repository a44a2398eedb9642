// SPDX-License-Identifier: Apache-2.0
// Implements yaml_reader.h: a walk over the YAML nodes along the schema, whose depth bounds it.
#include "common/config/yaml_reader.h"

#include <set>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/scalars.h"
#include "common/config/suggest.h"
#include "common/genome/yaml_document.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kNodesMax = 100'000;  // bounds what aliases expand to

const v1::FieldRule& RuleOf(const FieldDescriptor* field) {
  return field->options().GetExtension(v1::rule);
}

std::string Inside(const std::string& key, const std::string& name) {
  return key.empty() ? name : absl::StrCat(key, ".", name);
}

std::string Example(const FieldDescriptor* field) {
  const std::string& example = RuleOf(field).example();
  return example.empty() ? "" : absl::StrCat("; write for example ", field->name(), ": ", example);
}

// Where in the schema under `type` a key of this name stands: "phases[].optimizer". "" if nowhere.
std::string PlaceOf(const Descriptor* type, std::string_view name) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->message_type() == nullptr) continue;
    const std::string here = absl::StrCat(field->name(), field->is_repeated() ? "[]" : "");
    if (field->message_type()->FindFieldByName(std::string(name)) != nullptr) return here;
    const std::string below = PlaceOf(field->message_type(), name);
    if (!below.empty()) return absl::StrCat(here, ".", below);
  }
  return "";
}

class YamlReader {
 public:
  YamlReader(const std::string& folder, ConfigIssues& issues) : folder_(folder), issues_(issues) {}

  void ReadMessage(const YAML::Node& node, const std::string& key, Message& message) {
    const Descriptor* type = message.GetDescriptor();
    if (type == v1::Range::descriptor() && !node.IsMap()) return ReadRange(node, key, message);
    if (!node.IsMap() && !node.IsNull()) {
      issues_.Add(key, LineOf(node),
                  absl::StrCat(key.empty() ? "the config" : key, " must be a map: lines of `key: value`"));
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!Count(entry.first)) return;
      const std::string name = entry.first.Scalar();
      const FieldDescriptor* field = type->FindFieldByName(name);
      if (!entry.first.IsScalar() || field == nullptr) {
        AddUnknown(type, Inside(key, name), LineOf(entry.first), name);
      } else if (!seen.insert(name).second) {
        issues_.Add(Inside(key, name), LineOf(entry.first),
                    absl::StrCat(Inside(key, name), " is given twice; remove one of the two"));
      } else {
        issues_.Locate(Inside(key, name), LineOf(entry.first));
        ReadField(entry.second, LineOf(entry.first), Inside(key, name), field, message);
      }
    }
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      if (!RuleOf(field).required() || seen.contains(field->name())) continue;
      issues_.Add(Inside(key, field->name()), LineOf(node),
                  absl::StrCat(Inside(key, field->name()), " is missing", Example(field)));
    }
  }

 private:
  bool Count(const YAML::Node& node) {
    if (++nodes_ <= kNodesMax) return true;
    if (nodes_ == kNodesMax + 1) {
      issues_.Add("", LineOf(node), absl::StrCat("the file expands to more than ", kNodesMax, " values"));
    }
    return false;
  }

  void AddUnknown(const Descriptor* type, const std::string& key, int line, const std::string& name) {
    std::vector<std::string> known;
    for (int i = 0; i < type->field_count(); ++i) known.push_back(type->field(i)->name());
    std::string hint = Suggestion(name, known);
    if (const std::string place = PlaceOf(v1::Experiment::descriptor(), name);
        Closest(name, known).empty() && !place.empty()) {
      hint = absl::StrCat("; it belongs under ", place);
    }
    issues_.Add(key, line, absl::StrCat("unknown key \"", name, "\"", hint));
  }

  void ReadField(const YAML::Node& node, int line, const std::string& key, const FieldDescriptor* field,
                 Message& message) {
    if (!field->is_repeated()) return ReadValue(node, line, key, field, message);
    if (!node.IsSequence()) {
      issues_.Add(key, line, absl::StrCat(key, " must be a list, as in [a, b]"));
      return;
    }
    if (RuleOf(field).required() && node.size() == 0) {
      issues_.Add(key, line, absl::StrCat(key, " must not be empty", Example(field)));
    }
    int index = 0;
    for (const YAML::Node& item : node) {
      if (!Count(item)) return;
      const std::string item_key = absl::StrCat(key, "[", index++, "]");
      issues_.Locate(item_key, LineOf(item));
      ReadValue(item, LineOf(item), item_key, field, message);
    }
  }

  void ReadValue(const YAML::Node& node, int line, const std::string& key, const FieldDescriptor* field,
                 Message& message) {
    const Reflection* reflection = message.GetReflection();
    if (field->message_type() != nullptr) {
      return ReadMessage(node, key,
                         *(field->is_repeated() ? reflection->AddMessage(&message, field)
                                                : reflection->MutableMessage(&message, field)));
    }
    if (node.IsNull() || (node.IsScalar() && node.Scalar().empty() && RuleOf(field).required())) {
      issues_.Add(key, line, absl::StrCat(key, " has no value", Example(field)));
      return;
    }
    const std::string error = SetScalar(node, folder_, field, message);
    if (!error.empty()) issues_.Add(key, line, absl::StrCat(key, " ", error));
  }

  void ReadRange(const YAML::Node& node, const std::string& key, Message& message) {
    const Descriptor* type = message.GetDescriptor();
    std::vector<std::pair<YAML::Node, std::string>> parts;
    if (node.IsSequence() && node.size() == 2) parts = {{node[0], "low"}, {node[1], "high"}};
    if (node.IsScalar()) parts = {{node, "fixed"}};
    if (parts.empty()) {
      issues_.Add(key, LineOf(node),
                  absl::StrCat(key, " must be [low, high], one number, or a map with low, high and start"));
    }
    for (const auto& [part, name] : parts) {
      const std::string error = SetScalar(part, folder_, type->FindFieldByName(name), message);
      if (!error.empty()) issues_.Add(key, LineOf(part), absl::StrCat(key, " ", error));
    }
  }

  const std::string& folder_;
  ConfigIssues& issues_;
  int nodes_ = 0;
};

}  // namespace

void ReadYaml(const YAML::Node& root, const std::string& folder, ConfigIssues& issues, Message& message) {
  issues.Locate("", LineOf(root));
  YamlReader(folder, issues).ReadMessage(root, "", message);
}

}  // namespace heterosis
