// SPDX-License-Identifier: Apache-2.0
// std::mutex with clang's thread-safety annotations (absl::Mutex makes ThreadSanitizer report falsely with Debian's
// gRPC).
#pragma once

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define HETEROSIS_TSA(x) __attribute__((x))
#else
#define HETEROSIS_TSA(x)
#endif

#define GUARDED_BY(mutex) HETEROSIS_TSA(guarded_by(mutex))
#define REQUIRES(...) HETEROSIS_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) HETEROSIS_TSA(locks_excluded(__VA_ARGS__))

namespace heterosis {

class HETEROSIS_TSA(capability("mutex")) Mutex {
 public:
  void lock() HETEROSIS_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() HETEROSIS_TSA(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class HETEROSIS_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) HETEROSIS_TSA(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() HETEROSIS_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with a Mutex that is held.
using CondVar = std::condition_variable_any;

}  // namespace heterosis
