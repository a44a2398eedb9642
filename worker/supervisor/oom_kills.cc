// SPDX-License-Identifier: Apache-2.0
// Implements oom_kills.h.
#include "worker/supervisor/oom_kills.h"

#include <fstream>

namespace heterosis {
namespace {

// The number after `oom_kill` in a file of lines "key number".
int64_t ReadOomKill(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  int64_t value = 0;
  while (file >> key >> value) {
    if (key == "oom_kill") return value;
  }
  return 0;
}

}  // namespace

int64_t CountOomKills(const std::string& proc, const std::string& cgroups) {
  std::ifstream groups(proc + "/self/cgroup");
  std::string group;
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) group = line.substr(3);
  }
  return ReadOomKill(cgroups + group + "/memory.events") + ReadOomKill(proc + "/vmstat");
}

}  // namespace heterosis
