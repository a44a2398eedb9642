// SPDX-License-Identifier: Apache-2.0
// Implements jinja_builtins.h.
#include "worker/text/jinja_builtins.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/unicode.h"

namespace heterosis {
namespace {

constexpr int64_t kRangeMax = 100'000;

absl::Status Unknown(const char* what, const std::string& name) {
  return absl::UnimplementedError(absl::StrCat("the ", what, " \"", name, "\" is not supported"));
}

// Python's str.isspace also takes U+001C ... U+001F.
bool IsPythonSpace(char32_t value) {
  return IsWhitespace(value) || (value >= 0x1C && value <= 0x1F);
}

// Without the characters of `set` (whitespace, where it is nullptr) at the ends asked for.
std::string Strip(const std::string& text, bool left, bool right, const std::string* set) {
  const auto strips = [&](const CodePoint& point, size_t at) {
    if (set == nullptr) return IsPythonSpace(point.value);
    return set->find(text.substr(at, point.length_bytes)) != std::string::npos;
  };
  size_t begin = 0, end = 0;
  bool seen = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = DecodeUtf8(text, at);
    const bool strip = strips(point, at);
    at += point.length_bytes;
    if (!strip) end = at;
    seen = seen || !strip;
    if (!seen) begin = at;
  }
  if (!left) begin = 0;
  if (!right) end = text.size();
  return begin < end ? text.substr(begin, end - begin) : std::string();
}

std::string ChangeCase(std::string text, bool upper) {
  for (char& c : text) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string Replace(const std::string& text, const std::string& from, const std::string& to) {
  if (from.empty()) return text;
  std::string out;
  size_t copied = 0;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, copied)) {
    out.append(text, copied, at - copied).append(to);
    copied = at + from.size();
  }
  return out.append(text, copied);
}

// Python's str.split; without a separator at runs of whitespace.
Json Split(const std::string& text, const std::string* separator) {
  Json parts = Json::array();
  if (separator != nullptr) {
    size_t begin = 0;
    for (size_t at = text.find(*separator); at != std::string::npos; at = text.find(*separator, begin)) {
      parts.push_back(text.substr(begin, at - begin));
      begin = at + separator->size();
    }
    parts.push_back(text.substr(begin));
    return parts;
  }
  std::string part;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = DecodeUtf8(text, at);
    if (!IsPythonSpace(point.value)) {
      part.append(text, at, point.length_bytes);
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, ""));
    }
    at += point.length_bytes;
  }
  if (!part.empty()) parts.push_back(part);
  return parts;
}

absl::StatusOr<std::string> StringArgument(const JinjaArguments& arguments, size_t index, const std::string& name,
                                           const char* fallback = nullptr) {
  const JinjaValue* value = arguments.Find(index, name);
  if (value == nullptr && fallback != nullptr) return std::string(fallback);
  if (value == nullptr || !value->IsString()) {
    return absl::InvalidArgumentError(absl::StrCat("the argument ", index + 1, " must be a string"));
  }
  return value->String();
}

JinjaResult Length(const JinjaValue& value) {
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(value));
  return JinjaValue::Of(static_cast<int64_t>(elements.size()));
}

JinjaResult Join(const JinjaValue& value, const JinjaArguments& arguments) {
  ASSIGN_OR_RETURN(const std::string separator, StringArgument(arguments, 0, "d", ""));
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(value));
  std::string out;
  for (size_t i = 0; i < elements.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string text, JinjaText(JinjaValue::Of(elements[i])));
    out += (i > 0 ? separator : "") + text;
  }
  return JinjaValue::Of(std::move(out));
}

JinjaResult ToInteger(const JinjaValue& value) {
  if (value.json.is_number()) {
    const auto number = std::trunc(value.json.get<double>());
    return JinjaValue::Of(std::abs(number) < 9e15 ? static_cast<int64_t>(number) : 0);
  }
  int64_t number = 0;
  if (value.IsString()) {
    const std::string text = Strip(value.String(), true, true, nullptr);
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) number = 0;
  }
  return JinjaValue::Of(number);
}

JinjaResult ToJson(const JinjaValue& value, const JinjaArguments& arguments) {
  const JinjaValue* indent = arguments.Find(0, "indent");
  if (value.undefined || value.space != nullptr) return absl::InvalidArgumentError("tojson of what is no JSON value");
  if (indent == nullptr || indent->json.is_null()) return JinjaValue::Of(JinjaJson(value.json, std::nullopt));
  if (!indent->json.is_number_integer()) return absl::InvalidArgumentError("tojson: indent must be a whole number");
  return JinjaValue::Of(JinjaJson(value.json, std::clamp<int64_t>(indent->json.get<int64_t>(), 0, 16)));
}

JinjaResult FirstOrLast(const JinjaValue& value, bool first) {
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(value));
  if (elements.empty()) return JinjaValue::Undefined();
  return JinjaValue::Of(first ? elements.front() : elements.back());
}

JinjaResult Default(const JinjaValue& value, const JinjaArguments& arguments) {
  const JinjaValue* fallback = arguments.Find(0, "default_value");
  const JinjaValue* also_false = arguments.Find(1, "boolean");
  const bool replace = value.undefined || (also_false != nullptr && JinjaTruth(*also_false) && !JinjaTruth(value));
  if (!replace) return value;
  return fallback == nullptr ? JinjaValue::Of("") : *fallback;
}

// The methods that are strings' alone.
JinjaResult StringMethod(const std::string& text, const std::string& name, const JinjaArguments& arguments) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const bool left = name != "rstrip", right = name != "lstrip";
    if (arguments.values.empty()) return JinjaValue::Of(Strip(text, left, right, nullptr));
    ASSIGN_OR_RETURN(const std::string set, StringArgument(arguments, 0, "chars"));
    return JinjaValue::Of(Strip(text, left, right, &set));
  }
  if (name == "upper" || name == "lower") return JinjaValue::Of(ChangeCase(text, name == "upper"));
  if (name == "startswith" || name == "endswith") {
    ASSIGN_OR_RETURN(const std::string part, StringArgument(arguments, 0, ""));
    return JinjaValue::Of(name == "startswith" ? text.starts_with(part) : text.ends_with(part));
  }
  if (name == "replace" && arguments.values.size() == 2) {
    ASSIGN_OR_RETURN(const std::string from, StringArgument(arguments, 0, "old"));
    ASSIGN_OR_RETURN(const std::string to, StringArgument(arguments, 1, "new"));
    return JinjaValue::Of(Replace(text, from, to));
  }
  if (name == "split" && arguments.values.size() <= 1) {
    if (arguments.values.empty()) return JinjaValue::Of(Split(text, nullptr));
    ASSIGN_OR_RETURN(const std::string separator, StringArgument(arguments, 0, "sep"));
    if (separator.empty()) return absl::InvalidArgumentError("split: the separator is empty");
    return JinjaValue::Of(Split(text, &separator));
  }
  return Unknown("string method", name);
}

JinjaResult DictMethod(const Json& object, const std::string& name, const JinjaArguments& arguments) {
  if (name == "get") {
    ASSIGN_OR_RETURN(const std::string key, StringArgument(arguments, 0, "key"));
    if (const Json* member = JsonFind(object, key)) return JinjaValue::Of(*member);
    const JinjaValue* fallback = arguments.Find(1, "default");
    return fallback == nullptr ? JinjaValue::Of(Json()) : *fallback;
  }
  if (name != "items" && name != "keys" && name != "values") return Unknown("dictionary method", name);
  Json list = Json::array();
  for (const auto& item : object.items()) {
    if (name == "keys") {
      list.push_back(item.key());
    } else if (name == "values") {
      list.push_back(item.value());
    } else {
      list.push_back(Json::array({item.key(), item.value()}));
    }
  }
  return JinjaValue::Of(std::move(list));
}

JinjaResult Range(const JinjaArguments& arguments) {
  std::vector<int64_t> bounds;
  for (const JinjaValue& value : arguments.values) {
    if (!value.json.is_number_integer()) return absl::InvalidArgumentError("range: wants whole numbers");
    bounds.push_back(std::clamp<int64_t>(value.json.get<int64_t>(), -kRangeMax, kRangeMax));
  }
  if (bounds.empty() || bounds.size() > 3) return absl::InvalidArgumentError("range: wants 1 to 3 numbers");
  const int64_t begin = bounds.size() > 1 ? bounds[0] : 0, end = bounds.size() > 1 ? bounds[1] : bounds[0];
  const int64_t step = bounds.size() > 2 ? bounds[2] : 1;
  if (step == 0) return absl::InvalidArgumentError("range: the step is 0");
  Json list = Json::array();
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) list.push_back(i);
  return JinjaValue::Of(std::move(list));
}

}  // namespace

JinjaResult ApplyJinjaFilter(const std::string& name, const JinjaValue& value, const JinjaArguments& arguments) {
  if (name == "length" || name == "count") return Length(value);
  if (name == "tojson") return ToJson(value, arguments);
  if (name == "default" || name == "d") return Default(value, arguments);
  if (name == "first" || name == "last") return FirstOrLast(value, name == "first");
  if (name == "join") return Join(value, arguments);
  if (name == "int") return ToInteger(value);
  if (name == "safe") return value;
  if (name == "list") {
    ASSIGN_OR_RETURN(std::vector<Json> elements, JinjaElements(value));
    return JinjaValue::Of(Json(std::move(elements)));
  }
  if (name == "items")
    return value.json.is_object() ? DictMethod(value.json, name, arguments) : Unknown("filter", name);
  if (name != "trim" && name != "string" && name != "upper" && name != "lower" && name != "replace") {
    return Unknown("filter", name);
  }
  ASSIGN_OR_RETURN(std::string text, JinjaText(value));
  if (name == "string") return JinjaValue::Of(std::move(text));
  return StringMethod(text, name == "trim" ? "strip" : name, arguments);
}

JinjaResult ApplyJinjaTest(const std::string& name, const JinjaValue& value, const JinjaArguments& arguments) {
  const Json& json = value.json;
  if (name == "defined") return JinjaValue::Of(!value.undefined);
  if (name == "undefined") return JinjaValue::Of(value.undefined);
  if (name == "none") return JinjaValue::Of(!value.undefined && value.space == nullptr && json.is_null());
  if (name == "string") return JinjaValue::Of(json.is_string());
  if (name == "mapping") return JinjaValue::Of(json.is_object());
  if (name == "iterable" || name == "sequence")
    return JinjaValue::Of(value.undefined || json.is_structured() || json.is_string());
  if (name == "number") return JinjaValue::Of(json.is_number() || json.is_boolean());
  if (name == "integer") return JinjaValue::Of(json.is_number_integer());
  if (name == "boolean") return JinjaValue::Of(json.is_boolean());
  if (name == "true" || name == "false")
    return JinjaValue::Of(json.is_boolean() && json.get<bool>() == (name == "true"));
  if ((name == "equalto" || name == "eq") && arguments.values.size() == 1)
    return JinjaBinary("==", value, arguments.values[0]);
  if ((name == "even" || name == "odd") && json.is_number_integer()) {
    return JinjaValue::Of((json.get<int64_t>() % 2 != 0) == (name == "odd"));
  }
  return Unknown("test", name);
}

JinjaResult CallJinjaMethod(const JinjaValue& object, const std::string& name, const JinjaArguments& arguments) {
  if (object.IsString()) return StringMethod(object.String(), name, arguments);
  if (object.json.is_object()) return DictMethod(object.json, name, arguments);
  return Unknown("method", name);
}

JinjaResult CallJinjaFunction(const std::string& name, const JinjaArguments& arguments) {
  if (name == "raise_exception") {
    ASSIGN_OR_RETURN(const std::string message, StringArgument(arguments, 0, "message"));
    return absl::FailedPreconditionError(absl::StrCat("the template refuses these messages: ", message));
  }
  if (name == "range") return Range(arguments);
  if (name == "namespace" && arguments.values.empty()) {
    JinjaValue value;
    value.space = std::make_shared<JinjaValue::Namespace>(arguments.named);
    return value;
  }
  if (name == "dict" && arguments.values.empty()) {
    Json object = Json::object();
    for (const auto& [key, value] : arguments.named) object[key] = value.json;
    return JinjaValue::Of(std::move(object));
  }
  return Unknown("function", name);
}

}  // namespace heterosis
