// SPDX-License-Identifier: Apache-2.0
// Implements child_process.h with fork and exec. All is done in a thread of the child's own, its keeper: the kernel
// sends the signal for a parent's death (PR_SET_PDEATHSIG) when the *thread* ends that forked.
#include "worker/supervisor/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <future>
#include <utility>

#include "common/base/exec.h"
#include "common/base/status.h"
#include "worker/supervisor/oom_kills.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kEndPatience{5'000};
constexpr size_t kTailBytesMax = 2'000;
constexpr size_t kTailLinesMax = 20;
// A child is the one to go when memory runs out, rather than its parent or the coordinator beside it.
constexpr std::string_view kOomScore = "500";

int64_t OomKillsNow() {
  return CountOomKills("/proc", "/sys/fs/cgroup");
}

std::string Describe(int wait_status) {
  if (WIFEXITED(wait_status)) return absl::StrCat("exit status ", WEXITSTATUS(wait_status));
  const int number = WTERMSIG(wait_status);
  const char* name = sigabbrev_np(number);
  const char* text = sigdescr_np(number);
  return absl::StrCat("SIG", name != nullptr ? name : std::to_string(number), " (", text != nullptr ? text : "?", ")");
}

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return;  // nobody reads our log: no reason to stop
    if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
  }
}

// Between fork and exec: only calls that are safe in a signal handler.
[[noreturn]] void BecomeChild(pid_t parent, int socket, int output, const char* program, char* const* argv,
                              char* const* environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);  // it was quicker
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGINT, &ignore, nullptr);
  sigaction(SIGTERM, &ignore, nullptr);
  // The socket's number may be that of the output's place, and the other way round: out of the way first.
  const int high_socket = fcntl(socket, F_DUPFD, 10);
  const int high_output = fcntl(output, F_DUPFD, 10);
  if (dup2(high_output, STDOUT_FILENO) < 0 || dup2(high_output, STDERR_FILENO) < 0 ||
      dup2(high_socket, kChildSocket) < 0) {
    _exit(126);
  }
  if (close_range(kChildSocket + 1, ~0U, 0) != 0) {
    for (int fd = kChildSocket + 1; fd < 65'536; ++fd) close(fd);  // a kernel before 5.9
  }
  const int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0 && write(score, kOomScore.data(), kOomScore.size()) >= 0) close(score);
  execve(program, argv, environment);
  constexpr std::string_view kNoExec = "the evaluation program cannot be executed\n";
  if (write(STDERR_FILENO, kNoExec.data(), kNoExec.size()) < 0) _exit(126);
  _exit(127);
}

std::string LastLines(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  size_t from = text.size();
  for (size_t lines = 0; lines < kTailLinesMax && from != std::string_view::npos && from > 0; ++lines) {
    from = text.rfind('\n', from - 1);
  }
  if (from != std::string_view::npos && from > 0) text.remove_prefix(from + 1);
  return std::string(text);
}

}  // namespace

struct ChildProcess::Ends {
  std::array<int, 2> socket = {-1, -1};
  std::array<int, 2> output = {-1, -1};

  bool Open() {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socket.data()) == 0 &&
           pipe2(output.data(), O_CLOEXEC) == 0;
  }
  ~Ends() {
    for (const int fd : {socket[0], socket[1], output[0], output[1]}) {
      if (fd >= 0) close(fd);
    }
  }
};

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::string& program,
                                                                  const std::vector<std::string>& arguments) {
  std::unique_ptr<ChildProcess> child(new ChildProcess(OomKillsNow()));
  RETURN_IF_ERROR(child->Launch(program, arguments));
  return child;
}

absl::Status ChildProcess::Launch(const std::string& program, const std::vector<std::string>& arguments) {
  Ends ends;
  if (!ends.Open()) {
    return absl::UnavailableError(absl::StrCat("cannot connect to an evaluation process: ", std::strerror(errno)));
  }
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), "worker");
  const std::vector<char*> argv = Pointers(words);
  std::vector<std::string> variables = EnvironmentWithoutTokens();  // it runs what the models make it run
  const std::vector<char*> environment = Pointers(variables);
  const pid_t parent = getpid();
  std::promise<int> promise;  // 0 or errno
  std::future<int> forked = promise.get_future();
  const int output = ends.output[0];
  keeper_ = std::thread([&, output, promise = std::move(promise)]() mutable {
    pid_ = fork();
    if (pid_ == 0)
      BecomeChild(parent, ends.socket[1], ends.output[1], program.c_str(), argv.data(), environment.data());
    const bool failed = pid_ < 0;
    promise.set_value(failed ? errno : 0);  // Launch goes on: nothing of its from here
    if (!failed) Keep(output);
  });
  if (const int error = forked.get(); error != 0) {
    keeper_.join();
    return absl::UnavailableError(absl::StrCat("cannot start an evaluation process: ", std::strerror(error)));
  }
  pipe_ = std::make_unique<MessagePipe>(std::exchange(ends.socket[0], -1));
  ends.output[0] = -1;  // the keeper's
  return absl::OkStatus();
}

void ChildProcess::Keep(int output) {
  std::array<char, 4096> bytes;
  std::string line;  // the beginning of one: lines of two processes are not to be mixed
  for (;;) {
    const ssize_t count = read(output, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const std::string_view got(bytes.data(), static_cast<size_t>(count));
    Remember(got);
    line.append(got);
    const size_t whole = line.size() > kTailBytesMax ? line.size() : line.rfind('\n') + 1;
    WriteAll(STDERR_FILENO, std::string_view(line).substr(0, whole));
    line.erase(0, whole);
  }
  WriteAll(STDERR_FILENO, line);
  close(output);
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  MutexLock lock(mutex_);
  // Kill holds the lock: it never meets another process of the same number.
  while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  ended_ = true;
  changed_.notify_all();
}

void ChildProcess::Remember(std::string_view bytes) {
  MutexLock lock(mutex_);
  output_tail_.append(bytes);
  if (output_tail_.size() > kTailBytesMax) output_tail_.erase(0, output_tail_.size() - kTailBytesMax);
}

void ChildProcess::Kill() {
  MutexLock lock(mutex_);
  if (!ended_) kill(pid_, SIGKILL);
}

ChildEnd ChildProcess::Wait() {
  const auto end = std::chrono::steady_clock::now() + kEndPatience;
  MutexLock lock(mutex_);
  while (!ended_) {
    if (changed_.wait_until(mutex_, end) == std::cv_status::timeout && !ended_) {
      kill(pid_, SIGKILL);
      while (!ended_) changed_.wait(mutex_);
    }
  }
  ChildEnd result{.how = Describe(wait_status_), .last_lines = LastLines(output_tail_)};
  const bool killed = WIFSIGNALED(wait_status_) && WTERMSIG(wait_status_) == SIGKILL;
  result.out_of_memory = killed ? OomKillsNow() > oom_kills_ : output_tail_.find("std::bad_alloc") != std::string::npos;
  return result;
}

ChildProcess::~ChildProcess() {
  if (!keeper_.joinable()) return;
  Kill();
  keeper_.join();
}

}  // namespace heterosis
