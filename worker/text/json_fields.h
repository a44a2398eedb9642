// SPDX-License-Identifier: Apache-2.0
// Strict reading of one object of tokenizer.json: every error names the place, and unknown keys are errors.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

// A JSON object together with its place in the file ("pre_tokenizer.pretokenizers[1]"). Borrows the object.
class JsonFields {
 public:
  // Refuses anything but an object.
  static absl::StatusOr<JsonFields> Of(const Json& value, std::string place);

  // An error at this object, "place: message".
  absl::Status Error(std::string_view message) const;
  absl::Status ErrorAt(std::string_view key, std::string_view message) const;

  // Refuses keys that are not listed: what we do not know may change the result.
  absl::Status AllowOnly(std::initializer_list<std::string_view> keys) const;

  // Required members.
  absl::StatusOr<std::string> String(std::string_view key) const;
  absl::StatusOr<bool> Bool(std::string_view key) const;
  // A token id or a count: 0 ... 2^31 - 2.
  absl::StatusOr<int32_t> Id(std::string_view key) const;
  absl::StatusOr<const Json*> Array(std::string_view key) const;
  absl::StatusOr<JsonFields> Object(std::string_view key) const;

  // Optional members: `fallback` (or nothing) when missing or null, an error for another type.
  absl::StatusOr<bool> Bool(std::string_view key, bool fallback) const;
  absl::StatusOr<std::string> String(std::string_view key, std::string fallback) const;
  // nullptr when missing or null.
  const Json* Find(std::string_view key) const;

  const Json& json() const { return *value_; }
  std::string Place(std::string_view key) const;
  std::string Place(std::string_view key, size_t index) const;

 private:
  JsonFields(const Json& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const Json* value_;
  std::string place_;
};

// `value` as an id (0 ... 2^31 - 2), or nothing.
std::optional<int32_t> JsonId(const Json& value);

}  // namespace heterosis
