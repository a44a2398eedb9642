// SPDX-License-Identifier: Apache-2.0
// Implements scratch.h.
#include "tests/fuzz/scratch.h"

#include <cstdio>
#include <cstdlib>

#include "tests/support/shared.h"

namespace heterosis {

const std::string& ScratchFolder() {
  static const TemporaryFolder folder{MemoryFolder()};
  return folder.path();
}

std::string WriteScratch(std::string_view name, std::string_view content) {
  std::string path = ScratchFolder() + "/" + std::string(name);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  if (std::fwrite(content.data(), 1, content.size(), file) != content.size()) std::abort();
  if (std::fclose(file) != 0) std::abort();
  return path;
}

}  // namespace heterosis
