// SPDX-License-Identifier: Apache-2.0
// The errors found in a config so far, and the lines where its keys stand. Keys are named by their path:
// "phases[0].merge.weight".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace heterosis {

class ConfigIssues {
 public:
  explicit ConfigIssues(std::string file) : file_(std::move(file)) {}

  // Notes where a key stands, for errors that are found later.
  void Locate(const std::string& key, int line) { lines_[key] = line; }

  // An error of `key` at a line.
  void Add(const std::string& key, int line, const std::string& what);
  // An error of `key` at its line or, where it is not given, at the line of the innermost part that is. Nothing is
  // added where the key, a part of it or what it is a part of has an error already: one mistake is told once.
  void Add(const std::string& key, const std::string& what);

  // Whether there is an error of this key, of a part of it, or of what it is a part of.
  bool Has(std::string_view key) const;

  // "file:line: what", in the order of the lines; at most 100, and then how many more there are.
  std::vector<std::string> Lines() const;

 private:
  struct Issue {
    std::string key;
    int line = 1;
    std::string what;
  };

  const std::string file_;
  std::map<std::string, int> lines_;
  std::vector<Issue> issues_;
};

}  // namespace heterosis
