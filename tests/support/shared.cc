// SPDX-License-Identifier: Apache-2.0
// Implements shared.h. Tests run in the project's root.
#include "tests/support/shared.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace heterosis {

std::string SharedPath(std::string_view relative) {
  const char* folder = std::getenv("HETEROSIS_SHARED");
  const std::filesystem::path path = std::filesystem::path(folder != nullptr ? folder : "../shared") / relative;
  return std::filesystem::exists(path) ? path.string() : std::string();
}

std::string DepsPath(std::string_view relative) {
  const char* folder = std::getenv("HETEROSIS_DEPS");
  return (std::filesystem::path(folder != nullptr ? folder : ".deps") / relative).string();
}

std::string MemoryFolder() {
  constexpr char kMemory[] = "/dev/shm";
  return access(kMemory, W_OK) == 0 ? kMemory : std::filesystem::temp_directory_path().string();
}

TemporaryFolder::TemporaryFolder() : TemporaryFolder(std::filesystem::temp_directory_path().string()) {}

TemporaryFolder::TemporaryFolder(const std::string& parent) {
  std::string pattern = parent + "/heterosis.XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace heterosis
