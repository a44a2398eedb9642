// SPDX-License-Identifier: Apache-2.0
// A disk in memory for SQLite (a VFS) that loses what was not synced when its power fails, tears writes, runs full and
// fails on demand: the disk of a simulated coordinator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"

struct sqlite3_vfs;

namespace heterosis {

// What ends a machine's or a process's life.
enum class Crash {
  kKilled,    // kill -9: what was written is with the operating system and stays
  kPowerLost  // what was not synced is kept, lost or torn, sector by sector
};

// How the disk misbehaves for now. Chances are per operation.
struct DiskFaults {
  bool full = false;       // nothing can be written to it
  double write_error = 0;  // EIO
  double sync_error = 0;   // EIO; half of the time what should have been synced is then never written, as Linux does it
  double read_error = 0;   // EIO
  bool operator==(const DiskFaults&) const = default;
};

// Becomes the process's default VFS; one at a time. Not thread-safe. What is random is drawn from `seed`, also SQLite's
// own random numbers (salts of the log, randomblob).
class SimulatedDisk {
 public:
  explicit SimulatedDisk(uint64_t seed);
  ~SimulatedDisk();
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;

  DiskFaults faults;

  // From now on every operation fails and changes nothing, until Restart.
  void CrashNow(Crash crash);
  // The same after so many more operations that change something: in the middle of a commit, mostly.
  void CrashAfter(int64_t operations, Crash crash);
  bool crashed() const { return crashed_; }
  // The machine is up again: files that were open are not any more, no lock is held, no crash is planned.
  void Restart();

  int64_t operations() const { return operations_; }  // writes, syncs, truncations, creations, deletions
  size_t BytesOf(const std::string& path) const;      // 0 where there is none

  // For the functions that SQLite calls (disk.cc).
  struct File;
  struct Handle;
  struct Functions;

 private:
  // One change since the last sync: bytes at an offset, or (`truncate`) a new size.
  struct Change {
    int64_t offset = 0;
    std::string bytes;
    bool truncate = false;
  };

  // Counts an operation and says whether it is to be done; true also for the one in whose middle the crash comes.
  bool Count();
  bool Chance(double probability) { return probability > 0 && random_.NextUniform() < probability; }
  static void Apply(const Change& change, std::string& bytes);
  void LosePower();

  RandomStream random_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  sqlite3_vfs* before_;  // the default one until now
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, std::shared_ptr<File>> unlinked_;  // deleted, but the folder is not synced yet
  int64_t operations_ = 0;
  int64_t crash_at_ = -1;
  Crash planned_ = Crash::kKilled;
  bool crashed_ = false;
  int life_ = 0;  // restarts so far: handles of an earlier life are dead
};

}  // namespace heterosis
