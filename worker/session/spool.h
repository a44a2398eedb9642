// SPDX-License-Identifier: Apache-2.0
// Finished shards on disk, for as long as no coordinator takes them: a file each, read again by whichever worker of
// this machine registers next for the same run.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/trial/trial.h"

namespace heterosis {

struct SpoolLimits {
  uint64_t bytes_max = uint64_t{256} << 20;  // of all files; beyond it the oldest go
  std::chrono::hours age_max{24 * 14};       // after that nobody waits for a result any more
};

struct SpooledResult {
  std::string coordinator;  // HOST:PORT that the shard was leased from
  std::string run;          // and under
  ShardResult result;
};

// A folder of mode 0700 with files of mode 0600. Several workers may share one: what two of them deliver counts once.
// Thread-compatible. A file bears a checksum; one that is damaged or of another version is removed and named in the
// log.
class Spool {
 public:
  // Makes the folder and those above it. PERMISSION_DENIED where others may write to it, or it is another user's: what
  // is read from it would be delivered in this worker's name.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const std::string& folder, const SpoolLimits& limits = {});

  // Returns the path of the file once it is on disk; of a shard that was kept before, the same. RESOURCE_EXHAUSTED
  // where the limit leaves no room for it.
  absl::StatusOr<std::string> Keep(const SpooledResult& result);

  struct Kept {
    std::string path;
    SpooledResult result;
  };
  // All that is there and sound, the oldest first, after the too old have been removed.
  std::vector<Kept> List();

  // Harmless where another worker was quicker.
  void Remove(const std::string& path);

 private:
  struct File;
  Spool(std::string folder, const SpoolLimits& limits) : folder_(std::move(folder)), limits_(limits) {}

  std::vector<File> Files() const;
  void RemoveOld();
  absl::Status MakeRoom(uint64_t bytes);

  const std::string folder_;
  const SpoolLimits limits_;
};

// $XDG_STATE_HOME/heterosis/spool, or ~/.local/state/heterosis/spool; "" where neither variable is set.
std::string DefaultSpoolFolder();

}  // namespace heterosis
