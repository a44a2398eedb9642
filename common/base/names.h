// SPDX-License-Identifier: Apache-2.0
// One table of names per enum serves both ways: the name of a value and the value of a name.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace heterosis {

template <typename T>
struct Named {
  T value;
  std::string_view name;
};

// "?" for a value that the table lacks.
template <typename T, size_t N>
std::string_view NameIn(const std::array<Named<T>, N>& table, T value) {
  for (const Named<T>& entry : table) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

// INVALID_ARGUMENT, with the names that the table has, for another one; `what` says of what it is: "merge method".
template <typename T, size_t N>
absl::StatusOr<T> ValueIn(const std::array<Named<T>, N>& table, std::string_view what, std::string_view name) {
  std::string known;
  for (const Named<T>& entry : table) {
    if (entry.name == name) return entry.value;
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(entry.name));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown ", std::string(what), " \"", std::string(name), "\" (known: ", known, ")"));
}

}  // namespace heterosis
