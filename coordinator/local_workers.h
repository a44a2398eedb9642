// SPDX-License-Identifier: Apache-2.0
// Starts `worker --cpu` processes on this machine and keeps them running, so that one command is a whole run.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace heterosis {

struct LocalWorkersOptions {
  std::string program;                        // path of the worker
  std::string coordinator;                    // HOST:PORT to dial
  std::map<std::string, std::string> models;  // name -> folder
  int count = 0;
  int threads = 1;         // of each worker
  std::string log_prefix;  // worker N writes its log to PREFIX.worker-N.log; empty: to our standard error
};

// A worker that ends while it should run is started again after a pause; one that keeps dying at once is given up.
// A watching thread of its own; the other methods are for one thread.
class LocalWorkers {
 public:
  explicit LocalWorkers(LocalWorkersOptions options);
  ~LocalWorkers();  // stops
  LocalWorkers(const LocalWorkers&) = delete;
  LocalWorkers& operator=(const LocalWorkers&) = delete;

  // Error: the program is not there or cannot be started.
  absl::Status Start();

  // Waits up to `patience` for all to end by themselves, as they do when the experiment is finished.
  void Wait(std::chrono::milliseconds patience);

  // SIGTERM to all, waits up to `patience`, then SIGKILL. Idempotent.
  void Stop(std::chrono::milliseconds patience);

  // OK, or why the last worker was given up: nothing will come any more.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot {
    pid_t pid = -1;
    int quick_deaths = 0;
    std::chrono::steady_clock::time_point started{};
    std::chrono::steady_clock::time_point start_again{};
    bool given_up = false;
  };

  absl::Status Spawn(Slot& slot, size_t index);
  std::string LogPath(size_t index) const;
  void Watch();
  void OnExit(Slot& slot, size_t index, int wait_status);
  void StopWatching();
  // Reaps what has ended until nothing runs or the time is up; true when nothing runs.
  bool ReapUntil(std::chrono::steady_clock::time_point end);

  const LocalWorkersOptions options_;
  std::vector<Slot> slots_;
  std::atomic<bool> stopping_ = false;
  std::thread watcher_;
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace heterosis
