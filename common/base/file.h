// SPDX-License-Identifier: Apache-2.0
// Files: whole reads, atomic writes, read-only memory maps. Every error names the path and the operating system's
// reason.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// The whole content of a regular file of at most `limit_bytes`; OUT_OF_RANGE for a larger one.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit_bytes = size_t{1} << 30);

// Writes `content` to a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder: readers
// see the old or the new content, and after an OK the new one also when the power fails. `mode` is the file's,
// whatever the umask: for its owner only, unless told otherwise.
absl::Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode = 0600);

bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);

// The names of all that the folder has, of whatever kind, sorted.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// A file mapped read-only and shared; pages are read when they are touched. Movable; unmapped by the destructor.
// A file cut short by another program while mapped raises SIGBUS on access, as any mapping does.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace heterosis
