// SPDX-License-Identifier: Apache-2.0
// A child process at the other end of a socket pair, which never outlives this one and whose end is explained: by what
// it died, and what it said last.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/mutex.h"
#include "worker/supervisor/message_pipe.h"

namespace heterosis {

// How a child ended.
struct ChildEnd {
  std::string how;             // "SIGSEGV (Segmentation fault)", "exit status 3"
  std::string last_lines;      // of its standard error; the newest 20, 2,000 bytes at most
  bool out_of_memory = false;  // as far as can be told: killed by the system, or by a std::bad_alloc that nobody caught
};

// The descriptor at which a child finds its end of the socket pair; all above it are closed there.
inline constexpr int kChildSocket = 3;

// Thread-safe but for pipe().
class ChildProcess {
 public:
  // Starts `program` with `arguments` (without the program's name). The child ignores SIGINT and SIGTERM, which go to
  // whole groups of processes: it is its parent that ends it. Its standard output and error go, line by line, to our
  // standard error. It gets our environment, less the token: it needs none. UNAVAILABLE where there is no process to be
  // had.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const std::string& program,
                                                             const std::vector<std::string>& arguments);
  // Kills it, and waits until it is gone.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  MessagePipe& pipe() { return *pipe_; }
  pid_t pid() const { return pid_; }
  void Kill();
  // Waits for its end; the caller has killed it, or has seen its end of the pipe closed. One that has closed the pipe
  // but does not end is killed after some seconds.
  ChildEnd Wait();

 private:
  struct Ends;  // of the socket pair and of the pipe for its output
  explicit ChildProcess(int64_t oom_kills) : oom_kills_(oom_kills) {}

  absl::Status Launch(const std::string& program, const std::vector<std::string>& arguments);
  // The life of the keeper: copies its output until that ends, then reaps it.
  void Keep(int output);
  void Remember(std::string_view bytes);

  const int64_t oom_kills_;  // when it started
  std::unique_ptr<MessagePipe> pipe_;
  pid_t pid_ = -1;
  std::thread keeper_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // and reaped: the number may be another process's now
  int wait_status_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string output_tail_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace heterosis
