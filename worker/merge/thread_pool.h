// SPDX-License-Identifier: Apache-2.0
// Threads that stay alive between merges and share out numbered tasks.
#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/base/mutex.h"

namespace heterosis {

// One caller at a time. Which thread runs a task is not determined; what a task computes must not depend on it.
class ThreadPool {
 public:
  // `threads` >= 1, among them the caller of Run.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) once for each task in [0, tasks), with thread in [0, threads()); returns when all have
  // returned. Tasks are begun in order. `body` must not throw.
  void Run(size_t tasks, absl::FunctionRef<void(size_t task, int thread)> body);

 private:
  using Body = absl::FunctionRef<void(size_t, int)>;
  void Serve(int thread);
  void Drain(Body body, size_t tasks, int thread);

  std::atomic<size_t> next_{0};
  Mutex mutex_;
  CondVar changed_;
  const Body* body_ GUARDED_BY(mutex_) = nullptr;
  size_t tasks_ GUARDED_BY(mutex_) = 0;
  size_t round_ GUARDED_BY(mutex_) = 0;
  size_t busy_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> workers_;
};

}  // namespace heterosis
