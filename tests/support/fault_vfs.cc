// SPDX-License-Identifier: Apache-2.0
// Implements fault_vfs.h: every call goes to the system's VFS, those that change a file through NextFails first. A
// write that fails has written half.
#include "tests/support/fault_vfs.h"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>

namespace heterosis {
namespace {

FaultVfs* g_disk = nullptr;
sqlite3_vfs* g_system = nullptr;
sqlite3_vfs g_shim;

// What SQLite allocates for a file: ours, and right behind it the system's.
struct ShimFile {
  sqlite3_file base;
  sqlite3_file* system() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
sqlite3_file* System(sqlite3_file* file) {
  return reinterpret_cast<ShimFile*>(file)->system();
}

int Close(sqlite3_file* file) {
  return System(file)->pMethods->xClose(System(file));
}
int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  return System(file)->pMethods->xRead(System(file), data, size, offset);
}
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const bool fails = g_disk->NextFails();
  const int code = System(file)->pMethods->xWrite(System(file), data, fails ? size / 2 : size, offset);
  return fails ? SQLITE_FULL : code;
}
int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (g_disk->NextFails()) return SQLITE_IOERR_TRUNCATE;
  return System(file)->pMethods->xTruncate(System(file), size);
}
int Sync(sqlite3_file* file, int flags) {
  if (g_disk->NextFails()) return SQLITE_IOERR_FSYNC;
  return System(file)->pMethods->xSync(System(file), flags);
}
int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return System(file)->pMethods->xFileSize(System(file), size);
}
int Lock(sqlite3_file* file, int level) {
  return System(file)->pMethods->xLock(System(file), level);
}
int Unlock(sqlite3_file* file, int level) {
  return System(file)->pMethods->xUnlock(System(file), level);
}
int CheckReservedLock(sqlite3_file* file, int* reserved) {
  return System(file)->pMethods->xCheckReservedLock(System(file), reserved);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return System(file)->pMethods->xFileControl(System(file), operation, argument);
}
int SectorSize(sqlite3_file* file) {
  return System(file)->pMethods->xSectorSize(System(file));
}
int DeviceCharacteristics(sqlite3_file* file) {
  return System(file)->pMethods->xDeviceCharacteristics(System(file));
}
int ShmMap(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return System(file)->pMethods->xShmMap(System(file), page, size, extend, memory);
}
int ShmLock(sqlite3_file* file, int offset, int count, int flags) {
  return System(file)->pMethods->xShmLock(System(file), offset, count, flags);
}
void ShmBarrier(sqlite3_file* file) {
  System(file)->pMethods->xShmBarrier(System(file));
}
int ShmUnmap(sqlite3_file* file, int remove) {
  return System(file)->pMethods->xShmUnmap(System(file), remove);
}

// Version 2: without memory-mapped reading, which SQLite then does without.
constexpr sqlite3_io_methods kMethods = {2,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         ShmMap,
                                         ShmLock,
                                         ShmBarrier,
                                         ShmUnmap,
                                         nullptr,
                                         nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if (g_disk->NextFails()) return SQLITE_CANTOPEN;
  const int code = g_system->xOpen(g_system, name, System(file), flags, flags_out);
  if (System(file)->pMethods != nullptr) file->pMethods = &kMethods;
  return code;
}

}  // namespace

FaultVfs::FaultVfs() {
  if (g_disk != nullptr) std::abort();
  g_disk = this;
  g_system = sqlite3_vfs_find(nullptr);
  g_shim = *g_system;  // the calls that are not about an open file are the system's own
  g_shim.zName = "fault";
  g_shim.szOsFile = static_cast<int>(sizeof(ShimFile)) + g_system->szOsFile;
  g_shim.pNext = nullptr;
  g_shim.xOpen = Open;
  sqlite3_vfs_register(&g_shim, /*makeDflt=*/1);
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&g_shim);
  sqlite3_vfs_register(g_system, /*makeDflt=*/1);
  g_disk = nullptr;
}

void FaultVfs::Reset() {
  operations_ = failures_ = 0;
  fail_at_ = -1;
  for_ever_ = false;
}

void FaultVfs::FailAt(int64_t operation, bool for_ever) {
  Reset();
  for_ever_ = for_ever;
  fail_at_ = operation;
}

bool FaultVfs::NextFails() {
  const int64_t operation = operations_++;
  const bool fails = fail_at_ >= 0 && (for_ever_ ? operation >= fail_at_ : operation == fail_at_);
  if (fails) ++failures_;
  return fails;
}

}  // namespace heterosis
