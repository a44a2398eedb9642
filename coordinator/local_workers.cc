// SPDX-License-Identifier: Apache-2.0
// Implements local_workers.h with fork, exec and waitpid.
#include "coordinator/local_workers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{100};
constexpr milliseconds kQuickDeath{10'000};  // a worker that lives shorter has not done anything useful
constexpr int kQuickDeathsMax = 5;

std::string Describe(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return absl::StrCat("signal ", WTERMSIG(wait_status), " (", strsignal(WTERMSIG(wait_status)), ")");
  return absl::StrCat("exit status ", WEXITSTATUS(wait_status));
}

}  // namespace

LocalWorkers::LocalWorkers(LocalWorkersOptions options)
    : options_(std::move(options)), slots_(static_cast<size_t>(options_.count)) {}

LocalWorkers::~LocalWorkers() {
  Stop(milliseconds(5'000));
}

absl::Status LocalWorkers::Start() {
  if (!FileExists(options_.program)) {
    return absl::NotFoundError(absl::StrCat(
        options_.program, ": the worker program is not there: build or install it, or run without --local-workers"));
  }
  for (size_t i = 0; i < slots_.size(); ++i) RETURN_IF_ERROR(Spawn(slots_[i], i));
  watcher_ = std::thread([this] { Watch(); });
  return absl::OkStatus();
}

std::string LocalWorkers::LogPath(size_t index) const {
  return options_.log_prefix.empty() ? "" : absl::StrCat(options_.log_prefix, ".worker-", index, ".log");
}

absl::Status LocalWorkers::Spawn(Slot& slot, size_t index) {
  // Everything that allocates happens before fork: between fork and exec only async-signal-safe calls are allowed.
  std::vector<std::string> words = {options_.program, "--cpu",
                                    "--coordinator",  options_.coordinator,
                                    "--name",         absl::StrCat("local-", index),
                                    "--threads",      absl::StrCat(options_.threads)};
  for (const auto& [name, folder] : options_.models) {
    words.push_back("--model");
    words.push_back(absl::StrCat(name, "=", folder));
  }
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const std::string log = LogPath(index);
  const pid_t parent = getpid();

  const pid_t pid = fork();
  if (pid < 0) return absl::UnavailableError(absl::StrCat("cannot start a worker: ", std::strerror(errno)));
  if (pid == 0) {
    // No orphans: a worker ends with its coordinator, also when that is killed.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    // A terminal's Ctrl-C goes to the coordinator, which stops its workers in order.
    setpgid(0, 0);
    if (!log.empty()) {
      const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      if (fd >= 0) dup2(fd, STDERR_FILENO);
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  slot.pid = pid;
  slot.started = SteadyClock::now();
  return absl::OkStatus();
}

void LocalWorkers::OnExit(Slot& slot, size_t index, int wait_status) {
  const SteadyClock::time_point now = SteadyClock::now();
  slot.pid = -1;
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
    slot.given_up = true;  // told by us that the experiment is finished
    return;
  }
  slot.quick_deaths = now - slot.started < kQuickDeath ? slot.quick_deaths + 1 : 0;
  if (slot.quick_deaths >= kQuickDeathsMax) {
    slot.given_up = true;
    const std::string why = absl::StrCat("local worker ", index, " died ", kQuickDeathsMax, " times within ",
                                         kQuickDeath.count() / 1000, " s of its start, last by ", Describe(wait_status),
                                         options_.log_prefix.empty() ? "" : absl::StrCat("; see ", LogPath(index)));
    LogError(why);
    const bool any_left = std::any_of(slots_.begin(), slots_.end(), [](const Slot& other) { return !other.given_up; });
    MutexLock lock(mutex_);
    if (!any_left) status_ = absl::UnavailableError(why);
    return;
  }
  slot.start_again = now + milliseconds(200) * (1 << slot.quick_deaths);
  LogWarning(absl::StrCat("local worker ", index, " ended by ", Describe(wait_status), "; starting it again"));
}

void LocalWorkers::Watch() {
  while (!stopping_) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      int wait_status = 0;
      if (slot.pid > 0 && waitpid(slot.pid, &wait_status, WNOHANG) == slot.pid) OnExit(slot, i, wait_status);
      if (slot.pid > 0 || slot.given_up || SteadyClock::now() < slot.start_again) continue;
      if (const absl::Status started = Spawn(slot, i); !started.ok()) LogError(Message(started));
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void LocalWorkers::StopWatching() {
  stopping_ = true;
  if (watcher_.joinable()) watcher_.join();
}

bool LocalWorkers::ReapUntil(SteadyClock::time_point end) {
  for (;;) {
    bool running = false;
    for (Slot& slot : slots_) {
      if (slot.pid > 0 && waitpid(slot.pid, nullptr, WNOHANG) != 0) slot.pid = -1;
      running = running || slot.pid > 0;
    }
    if (!running || SteadyClock::now() >= end) return !running;
    std::this_thread::sleep_for(milliseconds(10));
  }
}

void LocalWorkers::Wait(milliseconds patience) {
  StopWatching();
  ReapUntil(SteadyClock::now() + patience);
}

void LocalWorkers::Stop(milliseconds patience) {
  StopWatching();
  for (const Slot& slot : slots_) {
    if (slot.pid > 0) kill(slot.pid, SIGTERM);
  }
  if (ReapUntil(SteadyClock::now() + patience)) return;
  for (const Slot& slot : slots_) {
    if (slot.pid > 0) kill(slot.pid, SIGKILL);
  }
  ReapUntil(SteadyClock::time_point::max());
}

absl::Status LocalWorkers::status() const {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace heterosis
