// SPDX-License-Identifier: Apache-2.0
// Implements scalars.h.
#include "common/config/scalars.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/suggest.h"
#include "common/genome/yaml_document.h"
#include "heterosis/v1/options.pb.h"

namespace heterosis {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

const v1::FieldRule& RuleOf(const FieldDescriptor* field) {
  return field->options().GetExtension(v1::rule);
}

std::string Shown(const YAML::Node& node) {
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  if (node.IsNull()) return "empty";
  return absl::StrCat("\"", node.Scalar(), "\"");
}

std::string Wrong(const YAML::Node& node, const std::string& wanted) {
  return absl::StrCat("must be ", wanted, ", but is ", Shown(node));
}

// "at least 1", "above 0", "from 0 to 1".
std::string Limits(const v1::FieldRule& rule) {
  if (rule.has_min() && rule.has_max()) {
    return absl::StrCat(rule.exclusive_min() ? "above " : "from ", rule.min(),
                        rule.exclusive_min() ? " and at most " : " to ", rule.max());
  }
  if (rule.has_min()) return absl::StrCat(rule.exclusive_min() ? "above " : "at least ", rule.min());
  return absl::StrCat("at most ", rule.max());
}

bool IsWithin(const v1::FieldRule& rule, double value) {
  if (rule.has_min() && (value < rule.min() || (rule.exclusive_min() && value == rule.min()))) return false;
  return !rule.has_max() || value <= rule.max();
}

// Whether the text is a whole number, of any size.
bool IsWhole(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string SetInt32(const YAML::Node& node, const FieldDescriptor* field, Message& message) {
  if (!IsPlainScalar(node) || !IsWhole(node.Scalar())) return Wrong(node, "a whole number");
  int32_t value = 0;
  if (!absl::SimpleAtoi(node.Scalar(), &value) || !IsWithin(RuleOf(field), value)) {
    return Wrong(node, Limits(RuleOf(field)));
  }
  const Reflection* reflection = message.GetReflection();
  reflection->SetInt32(&message, field, value);
  return "";
}

std::string SetUint64(const YAML::Node& node, const FieldDescriptor* field, Message& message) {
  uint64_t value = 0;
  if (!IsPlainScalar(node) || !absl::SimpleAtoi(node.Scalar(), &value)) {
    return Wrong(node, "a whole number from 0 to 2^64 - 1");
  }
  message.GetReflection()->SetUInt64(&message, field, value);
  return "";
}

std::string SetDouble(const YAML::Node& node, const FieldDescriptor* field, Message& message) {
  double value = 0;
  if (!IsPlainScalar(node) || !absl::SimpleAtod(node.Scalar(), &value) || !std::isfinite(value)) {
    return Wrong(node, "a number");
  }
  if (!IsWithin(RuleOf(field), value)) return Wrong(node, Limits(RuleOf(field)));
  message.GetReflection()->SetDouble(&message, field, value);
  return "";
}

std::string SetBool(const YAML::Node& node, const FieldDescriptor* field, Message& message) {
  if (!IsPlainScalar(node) || (node.Scalar() != "true" && node.Scalar() != "false")) {
    return Wrong(node, "true or false");
  }
  message.GetReflection()->SetBool(&message, field, node.Scalar() == "true");
  return "";
}

std::string SetEnum(const YAML::Node& node, const FieldDescriptor* field, Message& message) {
  const EnumDescriptor* type = field->enum_type();
  std::vector<std::string> known;
  for (int i = 0; i < type->value_count(); ++i) {
    const EnumValueDescriptor* value = type->value(i);
    known.push_back(absl::AsciiStrToLower(value->name()));
    if (!node.IsScalar() || node.Scalar() != known.back()) continue;
    message.GetReflection()->SetEnum(&message, field, value);
    return "";
  }
  std::string list;
  for (const std::string& name : known) absl::StrAppend(&list, list.empty() ? "" : ", ", name);
  const std::string closest = node.IsScalar() ? Closest(node.Scalar(), known) : "";
  const std::string hint = closest.empty() ? "" : absl::StrCat("; did you mean \"", closest, "\"?");
  return absl::StrCat(Wrong(node, known.size() == 1 ? list : absl::StrCat("one of ", list)), hint);
}

std::string SetText(const YAML::Node& node, const std::string& folder, const FieldDescriptor* field, Message& message) {
  if (!node.IsScalar()) return Wrong(node, "a text");
  std::string text = node.Scalar();
  const v1::FieldRule& rule = RuleOf(field);
  if (rule.path()) {
    // An absolute path stays what it is.
    const std::filesystem::path path = (std::filesystem::path(folder) / text).lexically_normal();
    std::error_code error;
    if (rule.exists() && !std::filesystem::exists(path, error)) {
      return absl::StrCat("is \"", text, "\", but there is no ", path.string(),
                          "; relative paths start at the config's folder");
    }
    text = path.string();
  }
  const Reflection* reflection = message.GetReflection();
  field->is_repeated() ? reflection->AddString(&message, field, text) : reflection->SetString(&message, field, text);
  return "";
}

}  // namespace

std::string SetScalar(const YAML::Node& node, const std::string& folder, const FieldDescriptor* field,
                      Message& message) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return SetInt32(node, field, message);
    case FieldDescriptor::CPPTYPE_UINT64:
      return SetUint64(node, field, message);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return SetDouble(node, field, message);
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(node, field, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(node, field, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetText(node, folder, field, message);
    default:
      return absl::StrCat("has a type that configs cannot have: ", field->cpp_type_name());
  }
}

}  // namespace heterosis
