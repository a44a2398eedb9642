// SPDX-License-Identifier: Apache-2.0
// Implements jinja_value.h.
#include "worker/text/jinja_value.h"

#include <algorithm>
#include <cmath>

#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {
namespace {

constexpr size_t kListMax = 1'000'000;

absl::Status TypeError(const std::string& name, const JinjaValue& left, const JinjaValue& right) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot apply ", name, " to ", left.json.type_name(), " and ", right.json.type_name()));
}

std::vector<std::string> Characters(const std::string& text) {
  std::vector<std::string> characters;
  for (size_t i = 0; i < text.size();) {
    const size_t length = DecodeUtf8(text, i).length_bytes;
    characters.push_back(text.substr(i, length));
    i += length;
  }
  return characters;
}

JinjaResult Arithmetic(const std::string& name, const JinjaValue& left, const JinjaValue& right) {
  if (!left.json.is_number() || !right.json.is_number()) return TypeError(name, left, right);
  const bool whole = left.json.is_number_integer() && right.json.is_number_integer();
  const bool divides = name == "/" || name == "//" || name == "%";
  if (divides && right.json.get<double>() == 0) return absl::InvalidArgumentError("division by zero");
  if (whole && name != "/") {
    const auto a = left.json.get<int64_t>(), b = right.json.get<int64_t>();
    int64_t result = 0;
    if (divides) {
      if (b == -1) return JinjaValue::Of(name == "%" ? 0 : -static_cast<double>(a));
      int64_t quotient = a / b, rest = a % b;
      if (rest != 0 && (rest < 0) != (b < 0)) {  // Python rounds down
        rest += b;
        --quotient;
      }
      return JinjaValue::Of(name == "%" ? rest : quotient);
    }
    const bool overflow = name == "+"   ? __builtin_add_overflow(a, b, &result)
                          : name == "-" ? __builtin_sub_overflow(a, b, &result)
                                        : __builtin_mul_overflow(a, b, &result);
    if (overflow) return absl::OutOfRangeError("a number is out of range");
    return JinjaValue::Of(result);
  }
  const auto a = left.json.get<double>(), b = right.json.get<double>();
  if (name == "+") return JinjaValue::Of(a + b);
  if (name == "-") return JinjaValue::Of(a - b);
  if (name == "*") return JinjaValue::Of(a * b);
  if (name == "/") return JinjaValue::Of(a / b);
  if (name == "//") return JinjaValue::Of(std::floor(a / b));
  return JinjaValue::Of(a - std::floor(a / b) * b);
}

bool Equal(const JinjaValue& left, const JinjaValue& right) {
  if (left.undefined || right.undefined) return left.undefined && right.undefined;
  return left.space == right.space && left.json == right.json;
}

absl::StatusOr<bool> Contains(const JinjaValue& container, const JinjaValue& element) {
  if (container.IsString()) {
    if (!element.IsString()) return TypeError("in", element, container);
    return container.String().find(element.String()) != std::string::npos;
  }
  if (container.json.is_object()) return element.IsString() && JsonFind(container.json, element.String()) != nullptr;
  if (container.json.is_array()) {
    return std::find(container.json.begin(), container.json.end(), element.json) != container.json.end();
  }
  if (container.undefined) return false;
  return TypeError("in", element, container);
}

void AppendJson(const Json& value, std::optional<int64_t> indent, int64_t depth, std::string& out) {
  const auto line = [&](int64_t level) {
    if (indent) out += "\n" + std::string(static_cast<size_t>(level * *indent), ' ');
  };
  if (!value.is_structured() || value.empty()) {
    out += JsonText(value);
    return;
  }
  out += value.is_array() ? '[' : '{';
  bool first = true;
  for (const auto& item : value.items()) {
    if (!first) out += indent ? "," : ", ";
    first = false;
    line(depth + 1);
    if (value.is_object()) out += JsonText(item.key()) + ": ";
    AppendJson(item.value(), indent, depth + 1, out);
  }
  line(depth);
  out += value.is_array() ? ']' : '}';
}

}  // namespace

const JinjaValue* JinjaArguments::Find(size_t index, const std::string& name) const {
  if (index < values.size()) return &values[index];
  const auto found = named.find(name);
  return found == named.end() ? nullptr : &found->second;
}

bool JinjaTruth(const JinjaValue& value) {
  if (value.undefined) return false;
  if (value.space != nullptr) return true;
  switch (value.json.type()) {
    case Json::value_t::null:
      return false;
    case Json::value_t::boolean:
      return value.json.get<bool>();
    case Json::value_t::string:
      return !value.String().empty();
    case Json::value_t::object:
    case Json::value_t::array:
      return !value.json.empty();
    default:
      return value.json.get<double>() != 0;
  }
}

absl::StatusOr<std::string> JinjaText(const JinjaValue& value) {
  if (value.undefined) return std::string();
  if (value.space != nullptr || value.json.is_structured()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot print an ", value.json.type_name(), "; use tojson"));
  }
  if (value.IsString()) return value.String();
  if (value.json.is_null()) return std::string("None");
  if (value.json.is_boolean()) return std::string(value.json.get<bool>() ? "True" : "False");
  return JsonText(value.json);
}

std::string JinjaJson(const Json& value, std::optional<int64_t> indent) {
  std::string out;
  AppendJson(value, indent, 0, out);
  return out;
}

JinjaResult JinjaBinary(const std::string& name, const JinjaValue& left, const JinjaValue& right) {
  if (name == "==") return JinjaValue::Of(Equal(left, right));
  if (name == "!=") return JinjaValue::Of(!Equal(left, right));
  if (name == "in" || name == "not in") {
    ASSIGN_OR_RETURN(const bool found, Contains(right, left));
    return JinjaValue::Of(found == (name == "in"));
  }
  if (name == "~") {
    ASSIGN_OR_RETURN(const std::string a, JinjaText(left));
    ASSIGN_OR_RETURN(const std::string b, JinjaText(right));
    return JinjaValue::Of(a + b);
  }
  const bool ordered = (left.json.is_number() && right.json.is_number()) || (left.IsString() && right.IsString());
  if (name == "<" || name == ">" || name == "<=" || name == ">=") {
    if (!ordered) return TypeError(name, left, right);
    if (name == "<") return JinjaValue::Of(left.json < right.json);
    if (name == ">") return JinjaValue::Of(left.json > right.json);
    if (name == "<=") return JinjaValue::Of(left.json <= right.json);
    return JinjaValue::Of(left.json >= right.json);
  }
  if (name == "+" && left.IsString() && right.IsString()) return JinjaValue::Of(left.String() + right.String());
  if (name == "+" && left.json.is_array() && right.json.is_array()) {
    if (left.json.size() + right.json.size() > kListMax) return absl::InvalidArgumentError("a list grows too long");
    Json list = left.json;
    list.insert(list.end(), right.json.begin(), right.json.end());
    return JinjaValue::Of(std::move(list));
  }
  return Arithmetic(name, left, right);
}

absl::StatusOr<std::vector<Json>> JinjaElements(const JinjaValue& value) {
  std::vector<Json> elements;
  if (value.undefined) return elements;
  if (value.json.is_array()) {
    elements.assign(value.json.begin(), value.json.end());
  } else if (value.json.is_object()) {
    for (const auto& item : value.json.items()) elements.push_back(item.key());
  } else if (value.IsString()) {
    for (std::string& character : Characters(value.String())) elements.push_back(std::move(character));
  } else {
    return absl::InvalidArgumentError(absl::StrCat("cannot go through a ", value.json.type_name()));
  }
  return elements;
}

JinjaResult JinjaItem(const JinjaValue& object, const JinjaValue& index) {
  if (object.undefined) {
    return absl::InvalidArgumentError(
        absl::StrCat("has no ", JinjaJson(index.json, std::nullopt), ", because it is undefined"));
  }
  if (object.space != nullptr && index.IsString()) {
    const auto found = object.space->find(index.String());
    return found == object.space->end() ? JinjaValue::Undefined() : found->second;
  }
  if (object.json.is_object() && index.IsString()) {
    const Json* member = JsonFind(object.json, index.String());
    return member == nullptr ? JinjaValue::Undefined() : JinjaValue::Of(*member);
  }
  if (!index.json.is_number_integer() || !(object.json.is_array() || object.IsString())) return JinjaValue::Undefined();
  ASSIGN_OR_RETURN(std::vector<Json> elements, JinjaElements(object));
  const auto size = static_cast<int64_t>(elements.size());
  auto place = index.json.get<int64_t>();
  if (place < 0) place += size;
  if (place < 0 || place >= size) return JinjaValue::Undefined();
  return JinjaValue::Of(std::move(elements[static_cast<size_t>(place)]));
}

JinjaResult JinjaSlice(const JinjaValue& object, std::optional<int64_t> begin, std::optional<int64_t> end,
                       int64_t step) {
  if (!object.json.is_array() && !object.IsString())
    return absl::InvalidArgumentError("only lists and strings have slices");
  if (step == 0 || step < -1'000'000 || step > 1'000'000)
    return absl::InvalidArgumentError("the step of a slice is out of range");
  ASSIGN_OR_RETURN(std::vector<Json> elements, JinjaElements(object));
  const auto size = static_cast<int64_t>(elements.size());
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const auto bound = [&](std::optional<int64_t> given, int64_t fallback) {
    if (!given) return fallback;
    return std::clamp(*given < 0 ? *given + size : *given, low, high);
  };
  const int64_t first = bound(begin, step > 0 ? low : high), last = bound(end, step > 0 ? high : low);
  Json list = Json::array();
  std::string text;
  for (int64_t i = first; step > 0 ? i < last : i > last; i += step) {
    Json& element = elements[static_cast<size_t>(i)];
    if (object.IsString()) {
      text += element.get_ref<const std::string&>();
    } else {
      list.push_back(std::move(element));
    }
  }
  return object.IsString() ? JinjaValue::Of(std::move(text)) : JinjaValue::Of(std::move(list));
}

}  // namespace heterosis
