// SPDX-License-Identifier: Apache-2.0
// Implements json_fields.h.
#include "worker/text/json_fields.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/status.h"

namespace heterosis {

absl::StatusOr<JsonFields> JsonFields::Of(const Json& value, std::string place) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, place.empty() ? "" : ": ", "must be an object, but is ", value.type_name()));
  }
  return JsonFields(value, std::move(place));
}

absl::Status JsonFields::Error(std::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(place_, place_.empty() ? "" : ": ", std::string(message)));
}

absl::Status JsonFields::ErrorAt(std::string_view key, std::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(Place(key), ": ", std::string(message)));
}

std::string JsonFields::Place(std::string_view key) const {
  return absl::StrCat(place_, place_.empty() ? "" : ".", std::string(key));
}

std::string JsonFields::Place(std::string_view key, size_t index) const {
  return absl::StrCat(Place(key), "[", index, "]");
}

absl::Status JsonFields::AllowOnly(std::initializer_list<std::string_view> keys) const {
  for (const auto& member : value_->items()) {
    if (std::find(keys.begin(), keys.end(), member.key()) == keys.end()) {
      return ErrorAt(member.key(), "unknown key; this tokenizer feature is not supported");
    }
  }
  return absl::OkStatus();
}

const Json* JsonFields::Find(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  return member == nullptr || member->is_null() ? nullptr : member;
}

absl::StatusOr<std::string> JsonFields::String(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  if (member == nullptr) return ErrorAt(key, "is missing");
  if (!member->is_string()) return ErrorAt(key, absl::StrCat("must be a string, but is ", member->type_name()));
  return member->get_ref<const std::string&>();
}

absl::StatusOr<bool> JsonFields::Bool(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  if (member == nullptr) return ErrorAt(key, "is missing");
  if (!member->is_boolean()) return ErrorAt(key, absl::StrCat("must be true or false, but is ", member->type_name()));
  return member->get<bool>();
}

absl::StatusOr<int32_t> JsonFields::Id(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  if (member == nullptr) return ErrorAt(key, "is missing");
  const std::optional<int32_t> id = JsonId(*member);
  if (!id) return ErrorAt(key, "must be a whole number from 0 to 2147483646");
  return *id;
}

absl::StatusOr<const Json*> JsonFields::Array(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  if (member == nullptr) return ErrorAt(key, "is missing");
  if (!member->is_array()) return ErrorAt(key, absl::StrCat("must be an array, but is ", member->type_name()));
  return member;
}

absl::StatusOr<JsonFields> JsonFields::Object(std::string_view key) const {
  const Json* member = JsonFind(*value_, key);
  if (member == nullptr) return ErrorAt(key, "is missing");
  return Of(*member, Place(key));
}

absl::StatusOr<bool> JsonFields::Bool(std::string_view key, bool fallback) const {
  if (Find(key) == nullptr) return fallback;
  return Bool(key);
}

absl::StatusOr<std::string> JsonFields::String(std::string_view key, std::string fallback) const {
  if (Find(key) == nullptr) return fallback;
  return String(key);
}

std::optional<int32_t> JsonId(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const uint64_t number = value.get<uint64_t>();
  if (number >= static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) return std::nullopt;
  return static_cast<int32_t>(number);
}

}  // namespace heterosis
