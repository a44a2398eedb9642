// SPDX-License-Identifier: Apache-2.0
// The values of a Jinja expression and Python's operators on them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

// A JSON value, the undefined value, or a namespace (shared by all its copies, as in Jinja).
struct JinjaValue {
  using Namespace = std::map<std::string, JinjaValue>;

  Json json;
  bool undefined = false;
  std::shared_ptr<Namespace> space;

  static JinjaValue Undefined() { return {Json(), true, nullptr}; }
  static JinjaValue Of(Json json) { return {std::move(json), false, nullptr}; }

  bool IsString() const { return json.is_string(); }
  const std::string& String() const { return json.get_ref<const std::string&>(); }
};

// Arguments of a call: those without a name, then those with one.
struct JinjaArguments {
  std::vector<JinjaValue> values;
  std::map<std::string, JinjaValue> named;

  // The argument at `index`, or called `name`, or nullptr.
  const JinjaValue* Find(size_t index, const std::string& name) const;
};

using JinjaResult = absl::StatusOr<JinjaValue>;

bool JinjaTruth(const JinjaValue& value);
// What {{ value }} prints; lists and dictionaries are refused (use tojson).
absl::StatusOr<std::string> JinjaText(const JinjaValue& value);
// json.dumps(value, ensure_ascii=False, indent=indent), as transformers' filter tojson.
std::string JinjaJson(const Json& value, std::optional<int64_t> indent);

// `name` is an operator of JinjaNode::kBinary other than "and" and "or".
JinjaResult JinjaBinary(const std::string& name, const JinjaValue& left, const JinjaValue& right);

// The elements that a loop goes through: of a list, the keys of a dictionary, the characters of a string.
absl::StatusOr<std::vector<Json>> JinjaElements(const JinjaValue& value);

// object[index] or object.name; undefined where there is none.
JinjaResult JinjaItem(const JinjaValue& object, const JinjaValue& index);
// object[begin:end:step]; nothing where a bound is left out.
JinjaResult JinjaSlice(const JinjaValue& object, std::optional<int64_t> begin, std::optional<int64_t> end,
                       int64_t step);

}  // namespace heterosis
