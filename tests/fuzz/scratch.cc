// SPDX-License-Identifier: Apache-2.0
// Implements scratch.h.
#include "tests/fuzz/scratch.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace heterosis {
namespace {

struct Folder {
  std::string path;
  Folder() {
    std::string name =
        std::filesystem::is_directory("/dev/shm") ? "/dev/shm/heterosis-fuzz-XXXXXX" : "/tmp/heterosis-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const std::string& ScratchFolder() {
  static const Folder folder;
  return folder.path;
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
