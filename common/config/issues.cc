// SPDX-License-Identifier: Apache-2.0
// Implements issues.h.
#include "common/config/issues.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace heterosis {
namespace {

constexpr size_t kLinesMax = 100;

// Whether `key` is `part` or lies in it.
bool IsWithin(std::string_view key, std::string_view part) {
  if (part.empty()) return true;
  if (!key.starts_with(part)) return false;
  return key.size() == part.size() || key[part.size()] == '.' || key[part.size()] == '[';
}

// What `key` is a part of: "a[0].b" -> "a[0]" -> "a" -> "".
std::string_view Outer(std::string_view key) {
  const size_t end = key.find_last_of(".[");
  return end == std::string_view::npos ? std::string_view() : key.substr(0, end);
}

}  // namespace

void ConfigIssues::Add(const std::string& key, int line, const std::string& what) {
  issues_.push_back({key, line, what});
}

void ConfigIssues::Add(const std::string& key, const std::string& what) {
  if (Has(key)) return;
  std::string_view known = key;
  while (!known.empty() && !lines_.contains(std::string(known))) known = Outer(known);
  const auto line = lines_.find(std::string(known));
  Add(key, line == lines_.end() ? 1 : line->second, what);
}

bool ConfigIssues::Has(std::string_view key) const {
  return std::any_of(issues_.begin(), issues_.end(), [key](const Issue& issue) {
    return IsWithin(issue.key, key) || (!issue.key.empty() && IsWithin(key, issue.key));
  });
}

std::vector<std::string> ConfigIssues::Lines() const {
  std::vector<Issue> sorted = issues_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Issue& a, const Issue& b) { return a.line < b.line; });
  std::vector<std::string> lines;
  for (const Issue& issue : sorted) {
    if (lines.size() == kLinesMax) {
      lines.push_back(absl::StrCat(file_, ": ... and ", sorted.size() - kLinesMax, " errors more"));
      break;
    }
    lines.push_back(absl::StrCat(file_, ":", issue.line, ": ", issue.what));
  }
  return lines;
}

}  // namespace heterosis
