// SPDX-License-Identifier: Apache-2.0
// Implements disk.h. Files have two contents, what programs read and what the platter has; the changes between are kept
// in their order until a sync.
#include "tests/scenario/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace heterosis {
namespace {

constexpr int kSector = 512;
constexpr int kIndexRegion = 32768;  // of the log's index; SQLite always asks for this size
constexpr char kVfsName[] = "simulated-disk";

}  // namespace

struct SimulatedDisk::File {
  std::string cached;           // what programs read
  std::string durable;          // what a loss of power leaves for sure
  std::vector<Change> pending;  // between the two
  bool listed = false;          // the folder's entry is durable
  // The log's index, memory that connections share, and who holds which of its locks.
  std::vector<std::unique_ptr<std::array<char, kIndexRegion>>> shared_memory;
  std::array<int, SQLITE_SHM_NLOCK> shared_locks{};
  std::array<bool, SQLITE_SHM_NLOCK> exclusive_locks{};
  int open = 0;        // handles
  int readers = 0;     // handles with a lock on the file
  bool taken = false;  // reserved or more
};

// What sqlite3_file is to us. SQLite gives the memory.
struct SimulatedDisk::Handle {
  sqlite3_file base;
  SimulatedDisk* disk;
  std::shared_ptr<File>* file;
  int life;
  int lock;
  unsigned shared_held, exclusive_held;  // bits of the index's locks

  bool dead() const { return disk->crashed_ || life != disk->life_; }
  File& content() { return **file; }
};

struct SimulatedDisk::Functions {
  static Handle& Of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
  static SimulatedDisk& Of(sqlite3_vfs* vfs) { return *static_cast<SimulatedDisk*>(vfs->pAppData); }

  static int Close(sqlite3_file* file) {
    Handle& handle = Of(file);
    if (!handle.dead()) {
      Unlock(file, SQLITE_LOCK_NONE);
      if (--handle.content().open == 0) handle.content().shared_memory.clear();
    }
    delete handle.file;
    handle.file = nullptr;
    return SQLITE_OK;
  }

  static int Read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
    Handle& handle = Of(file);
    if (handle.dead() || handle.disk->Chance(handle.disk->faults.read_error)) return SQLITE_IOERR_READ;
    const std::string& bytes = handle.content().cached;
    const int64_t there =
        std::clamp<int64_t>(static_cast<int64_t>(bytes.size()) - offset, 0, static_cast<int64_t>(count));
    std::memcpy(out, bytes.data() + (there > 0 ? offset : 0), static_cast<size_t>(there));
    std::memset(static_cast<char*>(out) + there, 0, static_cast<size_t>(count - there));
    return there == count ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  static int Write(sqlite3_file* file, const void* data, int count, sqlite3_int64 offset) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_WRITE;
    SimulatedDisk& disk = *handle.disk;
    if (disk.faults.full) return SQLITE_FULL;
    if (disk.Chance(disk.faults.write_error)) return SQLITE_IOERR_WRITE;
    Change change{offset, std::string(static_cast<const char*>(data), static_cast<size_t>(count))};
    const bool survives = disk.Count();
    if (!survives) {  // killed in its middle
      const uint64_t sectors = static_cast<uint64_t>(count / kSector) + 1;
      change.bytes.resize(
          std::min(change.bytes.size(), static_cast<size_t>(disk.random_.NextBelow(sectors) * kSector)));
    }
    Apply(change, handle.content().cached);
    handle.content().pending.push_back(std::move(change));
    if (!survives) disk.CrashNow(disk.planned_);
    return survives ? SQLITE_OK : SQLITE_IOERR_WRITE;
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_TRUNCATE;
    if (handle.disk->Chance(handle.disk->faults.write_error)) return SQLITE_IOERR_TRUNCATE;
    const bool survives = handle.disk->Count();
    Change change{size, "", /*truncate=*/true};
    Apply(change, handle.content().cached);
    handle.content().pending.push_back(std::move(change));
    if (!survives) handle.disk->CrashNow(handle.disk->planned_);
    return survives ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
  }

  static int Sync(sqlite3_file* file, int) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_FSYNC;
    SimulatedDisk& disk = *handle.disk;
    File& content = handle.content();
    if (disk.Chance(disk.faults.sync_error)) {
      if (disk.Chance(0.5)) content.pending.clear();
      return SQLITE_IOERR_FSYNC;
    }
    if (!disk.Count()) {  // before it has done anything
      disk.CrashNow(disk.planned_);
      return SQLITE_IOERR_FSYNC;
    }
    for (const Change& change : content.pending) Apply(change, content.durable);
    content.pending.clear();
    // SQLite for Linux syncs the folder, too, with a file that it has just made: all that happened in it is durable.
    if (!content.listed) {
      disk.unlinked_.clear();
      for (auto& [name, other] : disk.files_) other->listed = true;
    }
    return SQLITE_OK;
  }

  static int FileSize(sqlite3_file* file, sqlite3_int64* size) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(handle.content().cached.size());
    return SQLITE_OK;
  }

  static int Lock(sqlite3_file* file, int level) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_LOCK;
    if (level <= handle.lock) return SQLITE_OK;
    File& content = handle.content();
    if (content.taken && handle.lock < SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
    const int others = content.readers - (handle.lock >= SQLITE_LOCK_SHARED ? 1 : 0);
    if (level == SQLITE_LOCK_EXCLUSIVE && others > 0) return SQLITE_BUSY;
    if (handle.lock == SQLITE_LOCK_NONE) ++content.readers;
    if (level >= SQLITE_LOCK_RESERVED) content.taken = true;
    handle.lock = level;
    return SQLITE_OK;
  }

  static int Unlock(sqlite3_file* file, int level) {
    Handle& handle = Of(file);
    if (handle.dead() || level >= handle.lock) return SQLITE_OK;
    if (handle.lock >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED) handle.content().taken = false;
    if (level == SQLITE_LOCK_NONE) --handle.content().readers;
    handle.lock = level;
    return SQLITE_OK;
  }

  static int CheckReservedLock(sqlite3_file* file, int* result) {
    *result = !Of(file).dead() && Of(file).content().taken ? 1 : 0;
    return SQLITE_OK;
  }

  static int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int SectorSize(sqlite3_file*) { return 4096; }
  // As SQLite's own for Linux: a write leaves the bytes beside it alone, whatever happens.
  static int DeviceCharacteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  static int ShmMap(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    Handle& handle = Of(file);
    *out = nullptr;
    if (handle.dead()) return SQLITE_IOERR_SHMMAP;
    auto& regions = handle.content().shared_memory;
    const auto wanted = static_cast<size_t>(region);
    if (regions.size() <= wanted && extend == 0) return SQLITE_OK;
    while (regions.size() <= wanted) {
      regions.push_back(std::make_unique<std::array<char, kIndexRegion>>());
      regions.back()->fill(0);
    }
    if (size != kIndexRegion) return SQLITE_IOERR_SHMSIZE;
    *out = regions[wanted]->data();
    return SQLITE_OK;
  }

  static int ShmLock(sqlite3_file* file, int first, int count, int flags) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_IOERR_SHMLOCK;
    File& content = handle.content();
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (int i = first; i < first + count && (flags & SQLITE_SHM_LOCK) != 0; ++i) {
      const auto slot = static_cast<size_t>(i);
      const int others = content.shared_locks[slot] - ((handle.shared_held >> i & 1) != 0 ? 1 : 0);
      if (content.exclusive_locks[slot] && (handle.exclusive_held >> i & 1) == 0) return SQLITE_BUSY;
      if (exclusive && others > 0) return SQLITE_BUSY;
    }
    for (int i = first; i < first + count; ++i) SetIndexLock(handle, i, exclusive, (flags & SQLITE_SHM_LOCK) != 0);
    return SQLITE_OK;
  }

  static void SetIndexLock(Handle& handle, int i, bool exclusive, bool locked) {
    File& content = handle.content();
    const auto slot = static_cast<size_t>(i);
    const unsigned bit = 1u << i;
    unsigned& held = exclusive ? handle.exclusive_held : handle.shared_held;
    if (((held & bit) != 0) == locked) return;
    held ^= bit;
    if (exclusive) {
      content.exclusive_locks[slot] = locked;
    } else {
      content.shared_locks[slot] += locked ? 1 : -1;
    }
  }

  static void ShmBarrier(sqlite3_file*) {}

  static int ShmUnmap(sqlite3_file* file, int) {
    Handle& handle = Of(file);
    if (handle.dead()) return SQLITE_OK;
    for (int i = 0; i < SQLITE_SHM_NLOCK; ++i) {
      SetIndexLock(handle, i, /*exclusive=*/true, false);
      SetIndexLock(handle, i, /*exclusive=*/false, false);
    }
    return SQLITE_OK;
  }

  static const sqlite3_io_methods* Methods() {
    static const sqlite3_io_methods methods = {.iVersion = 2,
                                               .xClose = Close,
                                               .xRead = Read,
                                               .xWrite = Write,
                                               .xTruncate = Truncate,
                                               .xSync = Sync,
                                               .xFileSize = FileSize,
                                               .xLock = Lock,
                                               .xUnlock = Unlock,
                                               .xCheckReservedLock = CheckReservedLock,
                                               .xFileControl = FileControl,
                                               .xSectorSize = SectorSize,
                                               .xDeviceCharacteristics = DeviceCharacteristics,
                                               .xShmMap = ShmMap,
                                               .xShmLock = ShmLock,
                                               .xShmBarrier = ShmBarrier,
                                               .xShmUnmap = ShmUnmap,
                                               .xFetch = nullptr,
                                               .xUnfetch = nullptr};
    return &methods;
  }

  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    SimulatedDisk& disk = Of(vfs);
    std::memset(file, 0, sizeof(Handle));
    if (disk.crashed_) return SQLITE_IOERR;
    std::shared_ptr<File> content;
    if (name == nullptr) {
      content = std::make_shared<File>();  // a temporary one
    } else if (const auto found = disk.files_.find(name); found != disk.files_.end()) {
      content = found->second;
    } else {
      if ((flags & SQLITE_OPEN_CREATE) == 0 || disk.faults.full) return SQLITE_CANTOPEN;
      if (!disk.Count()) {
        disk.CrashNow(disk.planned_);
        return SQLITE_IOERR;
      }
      content = std::make_shared<File>();
      disk.files_[name] = content;
      disk.unlinked_.erase(name);
    }
    ++content->open;
    Handle& handle = Of(file);
    handle.base.pMethods = Methods();
    handle.disk = &disk;
    handle.file = new std::shared_ptr<File>(std::move(content));
    handle.life = disk.life_;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }

  static int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    SimulatedDisk& disk = Of(vfs);
    if (disk.crashed_) return SQLITE_IOERR_DELETE;
    const auto found = disk.files_.find(name);
    if (found == disk.files_.end()) return SQLITE_IOERR_DELETE_NOENT;
    if (!disk.Count()) {
      disk.CrashNow(disk.planned_);
      return SQLITE_IOERR_DELETE;
    }
    if (sync_folder == 0) disk.unlinked_[name] = found->second;
    disk.files_.erase(found);
    return SQLITE_OK;
  }

  static int Access(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    SimulatedDisk& disk = Of(vfs);
    if (disk.crashed_) return SQLITE_IOERR_ACCESS;
    const auto found = disk.files_.find(name);
    // As SQLite's own: an empty file does not exist to whom asks for a log.
    *result = found != disk.files_.end() && (flags != SQLITE_ACCESS_EXISTS || !found->second->cached.empty()) ? 1 : 0;
    return SQLITE_OK;
  }

  static int FullPathname(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static int Randomness(sqlite3_vfs* vfs, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(Of(vfs).random_.NextUint32());
    return size;
  }

  static int Sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
  static int CurrentTime(sqlite3_vfs*, double* days) {
    *days = 2'460'000.5;
    return SQLITE_OK;
  }
  static int CurrentTimeInt64(sqlite3_vfs*, sqlite3_int64* milliseconds) {
    *milliseconds = int64_t{2'460'000} * 86'400'000;
    return SQLITE_OK;
  }
  static int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

  static std::unique_ptr<sqlite3_vfs> MakeVfs(SimulatedDisk* disk) {
    auto vfs = std::make_unique<sqlite3_vfs>();
    *vfs = {.iVersion = 2,
            .szOsFile = sizeof(Handle),
            .mxPathname = 1024,
            .pNext = nullptr,
            .zName = kVfsName,
            .pAppData = disk,
            .xOpen = Open,
            .xDelete = Delete,
            .xAccess = Access,
            .xFullPathname = FullPathname,
            .xDlOpen = nullptr,
            .xDlError = nullptr,
            .xDlSym = nullptr,
            .xDlClose = nullptr,
            .xRandomness = Randomness,
            .xSleep = Sleep,
            .xCurrentTime = CurrentTime,
            .xGetLastError = GetLastError,
            .xCurrentTimeInt64 = CurrentTimeInt64,
            .xSetSystemCall = nullptr,
            .xGetSystemCall = nullptr,
            .xNextSystemCall = nullptr};
    return vfs;
  }
};

SimulatedDisk::SimulatedDisk(uint64_t seed)
    : random_(RandomKey({seed, HashText("disk")})), vfs_(Functions::MakeVfs(this)), before_(sqlite3_vfs_find(nullptr)) {
  sqlite3_vfs_register(vfs_.get(), /*makeDflt=*/1);
  sqlite3_randomness(0, nullptr);  // its generator is seeded anew, from ours
}

SimulatedDisk::~SimulatedDisk() {
  sqlite3_vfs_register(before_, /*makeDflt=*/1);
  sqlite3_vfs_unregister(vfs_.get());
  sqlite3_randomness(0, nullptr);
}

bool SimulatedDisk::Count() {
  ++operations_;
  return crash_at_ < 0 || operations_ < crash_at_;
}

void SimulatedDisk::Apply(const Change& change, std::string& bytes) {
  const auto offset = static_cast<size_t>(change.offset);
  if (change.truncate) {
    if (offset < bytes.size()) bytes.resize(offset);
    return;
  }
  if (bytes.size() < offset + change.bytes.size()) bytes.resize(offset + change.bytes.size());
  std::copy(change.bytes.begin(), change.bytes.end(), bytes.begin() + change.offset);
}

void SimulatedDisk::CrashAfter(int64_t operations, Crash crash) {
  crash_at_ = operations_ + operations;
  planned_ = crash;
}

void SimulatedDisk::CrashNow(Crash crash) {
  if (crashed_) return;
  crashed_ = true;
  if (crash == Crash::kPowerLost) LosePower();
}

void SimulatedDisk::Restart() {
  crashed_ = false;
  crash_at_ = -1;
  ++life_;
  for (auto& [name, file] : files_) {
    file->shared_memory.clear();
    file->shared_locks = {};
    file->exclusive_locks = {};
    file->open = file->readers = 0;
    file->taken = false;
  }
}

// One and the same fate for all that is pending, or each sector's own.
void SimulatedDisk::LosePower() {
  const uint64_t fate = random_.NextBelow(3);
  const double kept = fate == 0 ? 0.0 : fate == 1 ? 1.0 : random_.NextUniform();
  std::erase_if(files_, [&](const auto& entry) { return !entry.second->listed && random_.NextUniform() >= kept; });
  for (auto& [name, file] : unlinked_) {
    if (!files_.contains(name) && random_.NextUniform() >= kept) files_[name] = file;
  }
  unlinked_.clear();
  for (auto& [name, file] : files_) {
    for (const Change& change : file->pending) {
      if (change.truncate) {
        if (random_.NextUniform() < kept) Apply(change, file->durable);
        continue;
      }
      for (size_t begin = 0; begin < change.bytes.size(); begin += kSector) {
        if (random_.NextUniform() >= kept) continue;
        Apply({change.offset + static_cast<int64_t>(begin), change.bytes.substr(begin, kSector)}, file->durable);
      }
    }
    file->pending.clear();
    file->cached = file->durable;
    file->listed = true;
  }
}

size_t SimulatedDisk::BytesOf(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? 0 : found->second->cached.size();
}

}  // namespace heterosis
