// SPDX-License-Identifier: Apache-2.0
// Implements spool.h. A file is one line, "heterosis spool 1 SHA-256", and a serialized v1::SpooledReport.
#include "worker/session/spool.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/base/digest.h"
#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "heterosis/v1/worker_service.pb.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

constexpr std::string_view kMagic = "heterosis spool 1 ";
constexpr std::string_view kSuffix = ".result";
constexpr size_t kDigestSize = 64;
constexpr size_t kFileBytesMax = size_t{64} << 20;

std::string Encode(const SpooledResult& result) {
  v1::SpooledReport report;
  report.set_coordinator(result.coordinator);
  report.set_run(result.run);
  *report.mutable_result() = ToWire(result.result);
  const std::string bytes = report.SerializeAsString();
  return absl::StrCat(std::string(kMagic), Sha256(bytes), "\n", bytes);
}

absl::StatusOr<SpooledResult> Decode(std::string_view content) {
  const size_t header = kMagic.size() + kDigestSize + 1;
  if (content.size() < header || !content.starts_with(kMagic) || content[header - 1] != '\n')
    return absl::DataLossError("not a spooled result");
  const std::string_view bytes = content.substr(header);
  if (content.substr(kMagic.size(), kDigestSize) != Sha256(bytes)) return absl::DataLossError("the checksum is wrong");
  v1::SpooledReport report;
  if (!report.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return absl::DataLossError("no report");
  ASSIGN_OR_RETURN(ShardResult result, FromWire(report.result()));
  return SpooledResult{report.coordinator(), report.run(), std::move(result)};
}

// A run's name comes from the network: only its digest becomes part of a path.
std::string FileName(const SpooledResult& kept) {
  const ShardKey& key = kept.result.key;
  return absl::StrCat(Sha256(kept.run).substr(0, 16), "-", key.trial, "-", key.shard, "-", key.attempt,
                      std::string(kSuffix));
}

}  // namespace

struct Spool::File {
  std::string path;
  uint64_t bytes = 0;
  int64_t written_s = 0;  // since 1970
  int64_t written_ns = 0;
};

absl::StatusOr<std::unique_ptr<Spool>> Spool::Open(const std::string& folder, const SpoolLimits& limits) {
  std::error_code error;
  const std::filesystem::path above = std::filesystem::path(folder).parent_path();
  if (!above.empty()) std::filesystem::create_directories(above, error);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    const bool denied = errno == EACCES || errno == EPERM || errno == EROFS;
    const std::string text = absl::StrCat(folder, ": cannot make the folder: ", std::strerror(errno));
    return denied ? absl::PermissionDeniedError(text) : absl::NotFoundError(text);
  }
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": not a folder"));
  }
  if (info.st_uid != geteuid() || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(absl::StrCat(folder,
                                                    ": the spool must be this user's own, and nobody else's to ",
                                                    "write (chmod 700), or name another with --spool"));
  }
  return std::unique_ptr<Spool>(new Spool(folder, limits));
}

std::vector<Spool::File> Spool::Files() const {
  std::vector<File> files;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder_);
  if (!names.ok()) return files;
  for (const std::string& name : *names) {
    // Beside ours only what WriteFileAtomic leaves of a killed worker: a name with more behind it.
    if (name.find(kSuffix) == std::string::npos) continue;
    const std::string path = absl::StrCat(folder_, "/", name);
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    files.push_back({path, static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::tie(a.written_s, a.written_ns, a.path) < std::tie(b.written_s, b.written_ns, b.path);
  });
  return files;
}

void Spool::RemoveOld() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto oldest = std::chrono::duration_cast<std::chrono::seconds>(now - limits_.age_max).count();
  for (const File& file : Files()) {
    if (file.written_s >= oldest) continue;
    LogWarning(absl::StrCat(file.path, ": older than ", limits_.age_max.count() / 24, " days, dropped"));
    Remove(file.path);
  }
}

absl::Status Spool::MakeRoom(uint64_t bytes) {
  if (bytes > limits_.bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(folder_, ": a result of ", bytes, " bytes, and the spool may have ", limits_.bytes_max));
  }
  const std::vector<File> files = Files();
  uint64_t total = bytes;
  for (const File& file : files) total += file.bytes;
  for (auto file = files.begin(); total > limits_.bytes_max && file != files.end(); ++file) {
    LogWarning(absl::StrCat(file->path, ": dropped, for the spool is full (", limits_.bytes_max, " bytes)"));
    Remove(file->path);
    total -= file->bytes;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Spool::Keep(const SpooledResult& result) {
  const std::string path = absl::StrCat(folder_, "/", FileName(result));
  if (FileExists(path)) return path;
  const std::string content = Encode(result);
  RETURN_IF_ERROR(MakeRoom(content.size()));
  RETURN_IF_ERROR(WriteFileAtomic(path, content, 0600));
  return path;
}

std::vector<Spool::Kept> Spool::List() {
  RemoveOld();
  std::vector<Kept> all;
  for (const File& file : Files()) {
    if (!file.path.ends_with(kSuffix)) continue;  // being written
    const absl::StatusOr<std::string> content = ReadFile(file.path, kFileBytesMax);
    if (absl::IsNotFound(content.status())) continue;  // another worker has just delivered it
    absl::StatusOr<SpooledResult> result = content.ok() ? Decode(*content) : content.status();
    if (result.ok()) {
      all.push_back({file.path, *std::move(result)});
    } else {
      LogWarning(absl::StrCat(file.path, ": dropped: ", result.status().message()));
      Remove(file.path);
    }
  }
  return all;
}

void Spool::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    LogWarning(absl::StrCat(path, ": cannot be removed: ", std::strerror(errno)));
  }
}

std::string DefaultSpoolFolder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return absl::StrCat(state, "/heterosis/spool");
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? absl::StrCat(home, "/.local/state/heterosis/spool") : "";
}

}  // namespace heterosis
