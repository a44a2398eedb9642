// SPDX-License-Identifier: Apache-2.0
// Implements shared.h. Tests run in the project's root.
#include "tests/support/shared.h"

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

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "heterosis.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace heterosis
