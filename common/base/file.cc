// SPDX-License-Identifier: Apache-2.0
// Implements file.h with POSIX calls.
#include "common/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/base/status.h"

namespace heterosis {
namespace {

// NOT_FOUND, PERMISSION_DENIED and INVALID_ARGUMENT say that the path is wrong; the others, that the machine has
// trouble.
absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return absl::StatusCode::kInvalidArgument;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::Status ErrnoStatus(int error, std::string_view what, const std::string& path) {
  return absl::Status(CodeOf(error), absl::StrCat(path, ": ", std::string(what), ": ", std::strerror(error)));
}

// Closes a descriptor when it leaves its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// -1, and errno, where it fails. Without blocking, since a pipe would wait for a writer before CheckRegular can refuse
// it.
int OpenToRead(const std::string& path) {
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

absl::Status CheckRegular(int fd, const std::string& path, struct stat* info) {
  if (fd < 0) return ErrnoStatus(errno, "cannot open", path);
  if (fstat(fd, info) != 0) return ErrnoStatus(errno, "cannot read its size", path);
  if (!S_ISREG(info->st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": not a regular file"));
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "cannot write", path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) != 0) return ErrnoStatus(errno, "cannot sync", path);
  return absl::OkStatus();
}

// So that the new name, too, is on disk. Some file systems do not know this call for folders, and need none.
absl::Status SyncFolderOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return absl::OkStatus();  // a folder that may be written to but not read
  if (fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) return ErrnoStatus(errno, "cannot sync", folder);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit_bytes) {
  const Descriptor fd(OpenToRead(path));
  struct stat info;
  RETURN_IF_ERROR(CheckRegular(fd.get(), path, &info));
  if (static_cast<size_t>(info.st_size) > limit_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": has ", info.st_size, " bytes, more than the ", limit_bytes, " allowed"));
  }
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t got = read(fd.get(), content.data() + filled, content.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "cannot read", path);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  content.resize(filled);
  return content;
}

absl::Status WriteFileAtomic(const std::string& path, std::string_view content, unsigned mode) {
  // A name of its own for each call: two threads, or two machines with one folder, may write the same file.
  std::string temporary = path + ".tmp.XXXXXX";
  {
    const Descriptor fd(mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
    if (fd.get() < 0) return ErrnoStatus(errno, "cannot create", temporary);
    absl::Status written = WriteAll(fd.get(), content, temporary);
    if (mode != 0600 && fchmod(fd.get(), mode) != 0)
      written.Update(ErrnoStatus(errno, "cannot open to others", temporary));
    if (!written.ok()) {
      unlink(temporary.c_str());
      return written;
    }
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return ErrnoStatus(error, "cannot replace", path);
  }
  return SyncFolderOf(path);
}

bool FileExists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

bool IsDirectory(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  // Not a range-for: its steps throw.
  for (std::filesystem::directory_iterator entry(path, error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return ErrnoStatus(error.value(), "cannot list the folder", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  const Descriptor fd(OpenToRead(path));
  struct stat info;
  RETURN_IF_ERROR(CheckRegular(fd.get(), path, &info));
  MappedFile file;
  if (info.st_size == 0) return file;
  void* address = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return ErrnoStatus(errno, "cannot map", path);
  file.data_ = static_cast<const std::byte*>(address);
  file.size_ = static_cast<size_t>(info.st_size);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace heterosis
