// SPDX-License-Identifier: Apache-2.0
// Starts `worker --cpu` processes on this machine and keeps them running, so that one command is a whole run.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "common/base/mutex.h"

namespace heterosis {

struct LocalWorkersOptions {
  std::string program;                        // path of the worker
  std::string coordinator;                    // HOST:PORT to dial
  std::string token;                          // to show there, given by the environment; empty: none
  std::map<std::string, std::string> models;  // name -> folder
  int count = 0;
  int threads = 1;         // of each worker
  std::string log_prefix;  // worker N writes its log to PREFIX.worker-N.log; empty: to our standard error
  // Told, from the watching thread, the name of each worker that has ended, however it did.
  std::function<void(const std::string& worker)> on_exit = [](const std::string&) {};
};

// A worker that ends while it should run is started again after a pause; one that keeps dying at once is given up.
// A thread of its own starts and watches the processes; the other methods are for one thread.
class LocalWorkers {
 public:
  explicit LocalWorkers(LocalWorkersOptions options);
  ~LocalWorkers();  // stops
  LocalWorkers(const LocalWorkers&) = delete;
  LocalWorkers& operator=(const LocalWorkers&) = delete;

  // What the first `count` workers call themselves.
  static std::set<std::string> Names(int count);

  // Whether the program is there. NotFound with the remedy otherwise.
  static absl::Status CheckProgram(const std::string& program);

  // Returns when each worker was started. Error: the program is not there or cannot be started; nothing runs then.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // Starts none again from now on, and waits up to `patience` for all to end by themselves, as they do when the
  // experiment is finished.
  void Wait(std::chrono::milliseconds patience) ABSL_LOCKS_EXCLUDED(mutex_);

  // SIGTERM to all, waits up to `patience`, then SIGKILL. Idempotent.
  void Stop(std::chrono::milliseconds patience) ABSL_LOCKS_EXCLUDED(mutex_);

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

  static std::string NameOf(size_t index);
  std::string LogPath(size_t index) const;

  // The watching thread. It starts every worker itself and outlives them all: PR_SET_PDEATHSIG would take the end of
  // the thread that forked for the end of the program.
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Spawn(Slot& slot, size_t index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SpawnDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The names of the workers that have ended since the last call.
  std::vector<std::string> Reap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnExit(Slot& slot, size_t index, int wait_status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Signal(int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AnyRuns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitUntilNoneRuns(std::chrono::steady_clock::time_point end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LocalWorkersOptions options_;
  std::thread watcher_;
  mutable Mutex mutex_;
  CondVar changed_;  // of all below
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  bool keep_running_ ABSL_GUARDED_BY(mutex_) = true;  // start again what ends
  bool over_ ABSL_GUARDED_BY(mutex_) = false;         // the watcher is to end, once nothing runs
  bool started_ ABSL_GUARDED_BY(mutex_) = false;      // it has tried to start each worker once
  absl::Status start_error_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace heterosis
