// SPDX-License-Identifier: Apache-2.0
// Implements jinja_builtins.h.
#include "worker/text/jinja_builtins.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/base/status.h"
#include "worker/text/jinja_strings.h"

namespace heterosis {
namespace {

constexpr int64_t kRangeMax = 100'000;

absl::Status Unknown(const char* what, const std::string& name) {
  return absl::UnimplementedError(absl::StrCat("the ", what, " \"", name, "\" is not supported"));
}

JinjaResult Length(const JinjaValue& value) {
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(value));
  return JinjaValue::Of(static_cast<int64_t>(elements.size()));
}

JinjaResult Join(const JinjaValue& value, const JinjaArguments& arguments) {
  ASSIGN_OR_RETURN(const std::string separator, JinjaStringArgument(arguments, 0, "d", ""));
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(value));
  std::string out;
  for (size_t i = 0; i < elements.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string text, JinjaText(JinjaValue::Of(elements[i])));
    out += (i > 0 ? separator : "") + text;
  }
  return JinjaValue::Of(std::move(out));
}

JinjaResult ToInteger(const JinjaValue& value, const JinjaArguments& arguments) {
  ASSIGN_OR_RETURN(const int64_t fallback, JinjaIntegerArgument(arguments, 0, "default", 0));
  if (value.json.is_boolean()) return JinjaValue::Of(value.json.get<bool>() ? 1 : 0);
  if (value.json.is_number_integer()) return value;
  double number = 0;
  if (value.json.is_number()) {
    number = value.json.get<double>();
  } else if (value.IsString()) {
    const std::string text = JinjaStrip(value.String());
    const char* const end = text.data() + text.size();
    int64_t whole = 0;
    const auto read = std::from_chars(text.data(), end, whole);
    if (read.ec == std::errc() && read.ptr == end) return JinjaValue::Of(whole);
    const auto real = std::from_chars(text.data(), end, number);
    if (real.ec != std::errc() || real.ptr != end) return JinjaValue::Of(fallback);
  } else {
    return JinjaValue::Of(fallback);
  }
  number = std::trunc(number);
  return JinjaValue::Of(std::abs(number) < 9e15 ? static_cast<int64_t>(number) : fallback);
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

JinjaResult DictMethod(const Json& object, const std::string& name, const JinjaArguments& arguments) {
  if (name == "get") {
    ASSIGN_OR_RETURN(const std::string key, JinjaStringArgument(arguments, 0, "key"));
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

// The filters that go through a list: select, reject, selectattr, rejectattr, map.

// `value`.`path`, which may be "a.b".
JinjaResult Attribute(JinjaValue value, const std::string& path) {
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    ASSIGN_OR_RETURN(value, JinjaItem(value, JinjaValue::Of(path.substr(begin, end - begin))));
    begin = end + 1;
  }
  return value;
}

// The arguments behind the first `count`.
JinjaArguments Behind(const JinjaArguments& arguments, size_t count) {
  const auto begin = arguments.values.begin() + static_cast<std::ptrdiff_t>(std::min(count, arguments.values.size()));
  return {{begin, arguments.values.end()}, arguments.named};
}

// (attribute, test, arguments of the test ...), the attribute only where `by_attribute`; without a test, by truth.
JinjaResult Select(const JinjaValue& list, const JinjaArguments& arguments, bool by_attribute, bool wanted) {
  const size_t at = by_attribute ? 1 : 0;
  std::string attribute, test;
  if (by_attribute) {
    ASSIGN_OR_RETURN(attribute, JinjaStringArgument(arguments, 0, "attribute"));
  }
  if (arguments.values.size() > at) {
    ASSIGN_OR_RETURN(test, JinjaStringArgument(arguments, at, "test"));
  }
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(list));
  Json kept = Json::array();
  for (const Json& element : elements) {
    JinjaValue value = JinjaValue::Of(element);
    if (by_attribute) {
      ASSIGN_OR_RETURN(value, Attribute(std::move(value), attribute));
    }
    if (!test.empty()) {
      ASSIGN_OR_RETURN(value, ApplyJinjaTest(test, value, Behind(arguments, at + 1)));
    }
    if (JinjaTruth(value) == wanted) kept.push_back(element);
  }
  return JinjaValue::Of(std::move(kept));
}

// map(attribute="name"), or map(filter, its arguments ...).
JinjaResult Map(const JinjaValue& list, const JinjaArguments& arguments) {
  ASSIGN_OR_RETURN(const std::vector<Json> elements, JinjaElements(list));
  const bool by_attribute = arguments.values.empty();
  ASSIGN_OR_RETURN(const std::string name, JinjaStringArgument(arguments, 0, "attribute"));
  Json out = Json::array();
  for (const Json& element : elements) {
    ASSIGN_OR_RETURN(JinjaValue value, by_attribute
                                           ? Attribute(JinjaValue::Of(element), name)
                                           : ApplyJinjaFilter(name, JinjaValue::Of(element), Behind(arguments, 1)));
    if (value.undefined) return absl::UnimplementedError(absl::StrCat("map: an element has no ", name));
    out.push_back(std::move(value.json));
  }
  return JinjaValue::Of(std::move(out));
}

// The operator of a test such as "eq", or "" where it is none.
std::string ComparisonOf(const std::string& test) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"equalto", "=="}, {"eq", "=="}, {"==", "=="}, {"ne", "!="},         {"!=", "!="}, {"gt", ">"},
      {">", ">"},        {"ge", ">="}, {">=", ">="}, {"greaterthan", ">"}, {"lt", "<"},  {"<", "<"},
      {"lessthan", "<"}, {"le", "<="}, {"<=", "<="}, {"in", "in"}};
  for (const auto& [name, comparison] : kNames) {
    if (test == name) return std::string(comparison);
  }
  return "";
}

}  // namespace

JinjaResult ApplyJinjaFilter(const std::string& name, const JinjaValue& value, const JinjaArguments& arguments) {
  if (name == "length" || name == "count") return Length(value);
  if (name == "tojson") return ToJson(value, arguments);
  if (name == "default" || name == "d") return Default(value, arguments);
  if (name == "first" || name == "last") return FirstOrLast(value, name == "first");
  if (name == "join") return Join(value, arguments);
  if (name == "int") return ToInteger(value, arguments);
  if (name == "map") return Map(value, arguments);
  if (name == "select" || name == "reject") return Select(value, arguments, false, name == "select");
  if (name == "selectattr" || name == "rejectattr") return Select(value, arguments, true, name == "selectattr");
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
  return CallJinjaStringMethod(text, name == "trim" ? "strip" : name, arguments);
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
  if (name == "float") return JinjaValue::Of(json.is_number_float());
  if ((name == "even" || name == "odd") && json.is_number_integer()) {
    return JinjaValue::Of((json.get<int64_t>() % 2 != 0) == (name == "odd"));
  }
  if (name == "divisibleby" && arguments.values.size() == 1) {
    ASSIGN_OR_RETURN(const JinjaValue rest, JinjaBinary("%", value, arguments.values[0]));
    return JinjaBinary("==", rest, JinjaValue::Of(0));
  }
  if (const std::string comparison = ComparisonOf(name); !comparison.empty() && arguments.values.size() == 1) {
    return JinjaBinary(comparison, value, arguments.values[0]);
  }
  return Unknown("test", name);
}

JinjaResult CallJinjaMethod(const JinjaValue& object, const std::string& name, const JinjaArguments& arguments) {
  if (object.IsString()) return CallJinjaStringMethod(object.String(), name, arguments);
  if (object.json.is_object()) return DictMethod(object.json, name, arguments);
  return Unknown("method", name);
}

JinjaResult CallJinjaFunction(const std::string& name, const JinjaArguments& arguments) {
  if (name == "raise_exception") {
    ASSIGN_OR_RETURN(const std::string message, JinjaStringArgument(arguments, 0, "message"));
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
