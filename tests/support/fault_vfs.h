// SPDX-License-Identifier: Apache-2.0
// A disk under SQLite that fails when it is told to: a VFS around the system's own, whose writes, syncs, truncations
// and openings are counted and made to fail.
#pragma once

#include <atomic>
#include <cstdint>

namespace heterosis {

// While one exists, it is the VFS of every database that is opened. One at a time; must outlive what was opened under
// it.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // Counts from 0 again and lets everything succeed.
  void Reset();
  // The operation of that number (from 0, since Reset) fails; with `for_ever`, all from there on, until Reset.
  void FailAt(int64_t operation, bool for_ever);
  int64_t operations() const { return operations_; }
  int64_t failures() const { return failures_; }

  // For the shim: whether the operation that is about to happen has to fail.
  bool NextFails();

 private:
  std::atomic<int64_t> operations_{0}, failures_{0}, fail_at_{-1};
  std::atomic<bool> for_ever_{false};
};

}  // namespace heterosis
