// SPDX-License-Identifier: Apache-2.0
// Implements thread_pool.h.
#include "worker/merge/thread_pool.h"

#include <cassert>

namespace heterosis {

ThreadPool::ThreadPool(int threads) {
  assert(threads >= 1);
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { Serve(i); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Drain(Body body, size_t tasks, int thread) {
  for (size_t task = next_++; task < tasks; task = next_++) body(task, thread);
}

void ThreadPool::Run(size_t tasks, Body body) {
  if (workers_.empty() || tasks <= 1) {
    for (size_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  {
    MutexLock lock(mutex_);
    next_ = 0;
    body_ = &body;
    tasks_ = tasks;
    busy_ = workers_.size();
    ++round_;
  }
  changed_.notify_all();
  Drain(body, tasks, 0);
  mutex_.lock();
  while (busy_ > 0) changed_.wait(mutex_);
  mutex_.unlock();
}

void ThreadPool::Serve(int thread) {
  size_t seen = 0;
  mutex_.lock();
  for (;;) {
    while (!stopping_ && round_ == seen) changed_.wait(mutex_);
    if (stopping_) break;
    seen = round_;
    const Body body = *body_;
    const size_t tasks = tasks_;
    mutex_.unlock();
    Drain(body, tasks, thread);
    mutex_.lock();
    if (--busy_ == 0) changed_.notify_all();
  }
  mutex_.unlock();
}

}  // namespace heterosis
