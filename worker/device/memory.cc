// SPDX-License-Identifier: Apache-2.0
// Implements memory.h.
#include "worker/device/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"

namespace heterosis {
namespace {

// The number in a file, or nothing where there is no such file or it says "max".
std::optional<size_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  size_t value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

}  // namespace

absl::StatusOr<size_t> AvailableHostBytes(const std::string& meminfo, const std::string& cgroup) {
  std::ifstream file(meminfo);
  std::optional<size_t> available;
  std::string key, unit;
  size_t kilobytes = 0;
  while (file >> key >> kilobytes && std::getline(file, unit)) {
    if (key == "MemAvailable:") available = kilobytes * 1024;
  }
  if (!available.has_value()) return absl::NotFoundError(absl::StrCat(meminfo, " has no MemAvailable"));
  const std::optional<size_t> limit = ReadNumber(cgroup + "/memory.max");
  const std::optional<size_t> used = ReadNumber(cgroup + "/memory.current");
  if (limit.has_value() && used.has_value()) {
    available = std::min(*available, *limit > *used ? *limit - *used : size_t{0});
  }
  return *available;
}

}  // namespace heterosis
