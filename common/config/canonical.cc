// SPDX-License-Identifier: Apache-2.0
// Implements canonical.h by reflection, so that a new key of the schema needs no line here.
#include "common/config/canonical.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "heterosis/v1/options.pb.h"

namespace heterosis {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::array<std::string_view, 2> kMayChange = {"scheduling", "evaluation.batch_size"};
constexpr char kNotGiven[] = "(not given)";

bool MayChange(const FieldDescriptor* field, const std::string& key) {
  return field->options().GetExtension(v1::rule).path() ||
         std::find(kMayChange.begin(), kMayChange.end(), key) != kMayChange.end();
}

// The value as YAML has it; `index` is the place in a list, or -1.
std::string Shown(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message.GetReflection();
  const bool list = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(list ? reflection->GetRepeatedInt32(message, field, index)
                               : reflection->GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(list ? reflection->GetRepeatedUInt64(message, field, index)
                               : reflection->GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return JsonText(
          Json(list ? reflection->GetRepeatedDouble(message, field, index) : reflection->GetDouble(message, field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (list ? reflection->GetRepeatedBool(message, field, index) : reflection->GetBool(message, field))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::AsciiStrToLower(
          (list ? reflection->GetRepeatedEnum(message, field, index) : reflection->GetEnum(message, field))->name());
    case FieldDescriptor::CPPTYPE_STRING:
      return JsonText(
          Json(list ? reflection->GetRepeatedString(message, field, index) : reflection->GetString(message, field)));
    default:
      return field->cpp_type_name();
  }
}

// A scalar's value, its default, or that there is neither.
std::string ShownOrDefault(const Message& message, const FieldDescriptor* field) {
  if (!message.GetReflection()->HasField(message, field) && !field->has_default_value()) return kNotGiven;
  return Shown(message, field, -1);
}

class Comparison {
 public:
  std::vector<std::string> differences;

  void CompareMessages(const Message& stored, const Message& now, const std::string& key) {
    for (int i = 0; i < stored.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = stored.GetDescriptor()->field(i);
      const std::string field_key = key.empty() ? field->name() : absl::StrCat(key, ".", field->name());
      if (MayChange(field, field_key)) continue;
      if (field->is_repeated()) {
        CompareLists(stored, now, field, field_key);
      } else if (field->message_type() != nullptr) {
        CompareMessages(stored.GetReflection()->GetMessage(stored, field), now.GetReflection()->GetMessage(now, field),
                        field_key);
      } else {
        Compare(ShownOrDefault(stored, field), ShownOrDefault(now, field), field_key);
      }
    }
  }

 private:
  void Compare(const std::string& stored, const std::string& now, const std::string& key) {
    if (stored != now) differences.push_back(absl::StrCat(key, ": ", stored, " -> ", now));
  }

  void CompareLists(const Message& stored, const Message& now, const FieldDescriptor* field, const std::string& key) {
    const Reflection* reflection = stored.GetReflection();
    const int size = reflection->FieldSize(stored, field);
    const int size_now = reflection->FieldSize(now, field);
    if (size != size_now) {
      differences.push_back(absl::StrCat(key, ": ", size, " entries -> ", size_now));
      return;
    }
    for (int i = 0; i < size; ++i) {
      const std::string item_key = absl::StrCat(key, "[", i, "]");
      if (field->message_type() == nullptr) {
        Compare(Shown(stored, field, i), Shown(now, field, i), item_key);
      } else {
        CompareMessages(reflection->GetRepeatedMessage(stored, field, i), reflection->GetRepeatedMessage(now, field, i),
                        item_key);
      }
    }
  }
};

}  // namespace

std::string CanonicalConfig(const v1::Experiment& config) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  // It fails only for messages with Any, which the schema has not.
  const auto status = google::protobuf::util::MessageToJsonString(config, &text, options);
  assert(status.ok());
  (void)status;
  return text;
}

absl::StatusOr<v1::Experiment> ConfigFromCanonical(std::string_view text) {
  v1::Experiment config;
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), &config);
  if (status.ok()) return config;
  return absl::DataLossError(absl::StrCat("the stored config cannot be read: ", status.message().ToString()));
}

std::vector<std::string> ConfigDifferences(const v1::Experiment& stored, const v1::Experiment& now) {
  Comparison comparison;
  comparison.CompareMessages(stored, now, "");
  return std::move(comparison.differences);
}

}  // namespace heterosis
