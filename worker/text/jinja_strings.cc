// SPDX-License-Identifier: Apache-2.0
// Implements jinja_strings.h.
#include "worker/text/jinja_strings.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/unicode.h"

namespace heterosis {
namespace {

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

// As Python where that is simple: some letters' case depends on their neighbours, or changes their number.
JinjaResult ChangeCase(std::string text, bool upper) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
  if (!ascii && (upper || text.find("Σ") != std::string::npos)) {
    return absl::UnimplementedError(
        absl::StrCat(upper ? "upper" : "lower", " case of letters outside ASCII is not supported"));
  }
  if (!upper) return JinjaValue::Of(LowerCase(text));
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return JinjaValue::Of(std::move(text));
}

// Python's str.replace; `count` < 0: all of them.
std::string Replace(const std::string& text, const std::string& from, const std::string& to, int64_t count) {
  std::string out;
  size_t copied = 0;
  for (size_t at = text.find(from); at != std::string::npos && count != 0; --count) {
    out.append(text, copied, at - copied).append(to);
    copied = at + from.size();
    if (!from.empty()) {
      at = text.find(from, copied);
    } else if (at == text.size()) {
      break;
    } else {  // an empty text stands before each character and at the end
      at += DecodeUtf8(text, at).length_bytes;
    }
  }
  return out.append(text, copied);
}

// Python's str.split; without a separator at runs of whitespace. `count` < 0: at all places.
Json Split(const std::string& text, const std::string* separator, int64_t count) {
  Json parts = Json::array();
  if (separator != nullptr) {
    size_t begin = 0;
    for (size_t at = text.find(*separator); at != std::string::npos && count != 0; at = text.find(*separator, begin)) {
      --count;
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
      if (part.empty() && count == 0) {  // the rest in one, but for the blanks at its end
        parts.push_back(Strip(text.substr(at), false, true, nullptr));
        return parts;
      }
      part.append(text, at, point.length_bytes);
    } else if (!part.empty()) {
      parts.push_back(std::exchange(part, ""));
      --count;
    }
    at += point.length_bytes;
  }
  if (!part.empty()) parts.push_back(part);
  return parts;
}

}  // namespace

std::string JinjaStrip(const std::string& text) {
  return Strip(text, true, true, nullptr);
}

absl::StatusOr<std::string> JinjaStringArgument(const JinjaArguments& arguments, size_t index, const std::string& name,
                                                const char* fallback) {
  const JinjaValue* value = arguments.Find(index, name);
  if (value == nullptr && fallback != nullptr) return std::string(fallback);
  if (value == nullptr || !value->IsString()) {
    return absl::InvalidArgumentError(absl::StrCat("the argument ", index + 1, " must be a string"));
  }
  return value->String();
}

absl::StatusOr<int64_t> JinjaIntegerArgument(const JinjaArguments& arguments, size_t index, const std::string& name,
                                             int64_t fallback) {
  const JinjaValue* value = arguments.Find(index, name);
  if (value == nullptr) return fallback;
  if (!value->json.is_number_integer()) {
    return absl::InvalidArgumentError(absl::StrCat("the argument ", index + 1, " must be a whole number"));
  }
  return value->json.get<int64_t>();
}

JinjaResult CallJinjaStringMethod(const std::string& text, const std::string& name, const JinjaArguments& arguments) {
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    const bool left = name != "rstrip", right = name != "lstrip";
    if (arguments.values.empty()) return JinjaValue::Of(Strip(text, left, right, nullptr));
    ASSIGN_OR_RETURN(const std::string set, JinjaStringArgument(arguments, 0, "chars"));
    return JinjaValue::Of(Strip(text, left, right, &set));
  }
  if (name == "upper" || name == "lower") return ChangeCase(text, name == "upper");
  if (name == "startswith" || name == "endswith") {
    ASSIGN_OR_RETURN(const std::string part, JinjaStringArgument(arguments, 0, ""));
    return JinjaValue::Of(name == "startswith" ? text.starts_with(part) : text.ends_with(part));
  }
  if (name == "replace") {
    ASSIGN_OR_RETURN(const std::string from, JinjaStringArgument(arguments, 0, "old"));
    ASSIGN_OR_RETURN(const std::string to, JinjaStringArgument(arguments, 1, "new"));
    ASSIGN_OR_RETURN(const int64_t count, JinjaIntegerArgument(arguments, 2, "count", -1));
    return JinjaValue::Of(Replace(text, from, to, count));
  }
  if (name == "split") {
    ASSIGN_OR_RETURN(const int64_t count, JinjaIntegerArgument(arguments, 1, "maxsplit", -1));
    const JinjaValue* given = arguments.Find(0, "sep");
    if (given == nullptr || (given->json.is_null() && !given->undefined))
      return JinjaValue::Of(Split(text, nullptr, count));
    ASSIGN_OR_RETURN(const std::string separator, JinjaStringArgument(arguments, 0, "sep"));
    if (separator.empty()) return absl::InvalidArgumentError("split: the separator is empty");
    return JinjaValue::Of(Split(text, &separator, count));
  }
  return absl::UnimplementedError(absl::StrCat("the string method \"", name, "\" is not supported"));
}

}  // namespace heterosis
