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

#include "common/base/exec.h"
#include "common/base/logging.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{100};
constexpr milliseconds kPollAtEnd{10};
constexpr milliseconds kPauseAfterEnd{1'000};
constexpr milliseconds kPauseAfterNoFork{1'000};  // too many processes, or no memory
constexpr milliseconds kQuickDeath{10'000};       // a worker that lives shorter has not done anything useful
constexpr int kQuickDeathsMax = 5;

std::string Describe(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return absl::StrCat("signal ", WTERMSIG(wait_status), " (", strsignal(WTERMSIG(wait_status)), ")");
  return absl::StrCat("exit status ", WEXITSTATUS(wait_status));
}

// Ours, less the secrets: a worker gets its own token and no other.
std::vector<std::string> WorkerEnvironment(const std::string& token) {
  std::vector<std::string> environment = EnvironmentWithoutTokens();
  if (!token.empty()) environment.push_back(absl::StrCat("HETEROSIS_TOKEN=", token));
  return environment;
}

}  // namespace

LocalWorkers::LocalWorkers(LocalWorkersOptions options)
    : options_(std::move(options)), slots_(static_cast<size_t>(options_.count)) {}

LocalWorkers::~LocalWorkers() {
  Stop(milliseconds(5'000));
}

absl::Status LocalWorkers::CheckProgram(const std::string& program) {
  if (access(program.c_str(), X_OK) == 0) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(program, ": the worker program is not there: build or install it, or run without --local-workers"));
}

absl::Status LocalWorkers::Start() {
  RETURN_IF_ERROR(CheckProgram(options_.program));
  watcher_ = std::thread([this] { Watch(); });
  absl::Status error;
  {
    MutexLock lock(mutex_);
    while (!started_) changed_.wait(mutex_);
    error = start_error_;
  }
  if (!error.ok()) Stop(milliseconds(5'000));
  return error;
}

std::set<std::string> LocalWorkers::Names(int count) {
  std::set<std::string> names;
  for (int i = 0; i < count; ++i) names.insert(NameOf(static_cast<size_t>(i)));
  return names;
}

std::string LocalWorkers::NameOf(size_t index) {
  return absl::StrCat("local-", index);
}

std::string LocalWorkers::LogPath(size_t index) const {
  return options_.log_prefix.empty() ? "" : absl::StrCat(options_.log_prefix, ".worker-", index, ".log");
}

absl::Status LocalWorkers::Spawn(Slot& slot, size_t index) {
  // Everything that allocates happens before fork: between fork and exec only async-signal-safe calls are allowed.
  std::vector<std::string> words = {options_.program, "--cpu",       "--coordinator", options_.coordinator,
                                    "--name",         NameOf(index), "--threads",     absl::StrCat(options_.threads)};
  for (const auto& [name, folder] : options_.models) {
    words.push_back("--model");
    words.push_back(absl::StrCat(name, "=", folder));
  }
  std::vector<char*> argv = Pointers(words);
  std::vector<std::string> variables = WorkerEnvironment(options_.token);
  std::vector<char*> environment = Pointers(variables);
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
    execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  slot.pid = pid;
  slot.started = SteadyClock::now();
  return absl::OkStatus();
}

void LocalWorkers::OnExit(Slot& slot, size_t index, int wait_status) {
  const SteadyClock::time_point now = SteadyClock::now();
  slot.pid = -1;
  if (!keep_running_) return;
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) {
    // Told that the experiment is finished, which we shall hear too before the pause is over; or stopped by someone.
    slot.quick_deaths = 0;
    slot.start_again = now + kPauseAfterEnd;
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
    if (!any_left) status_ = absl::UnavailableError(why);
    return;
  }
  slot.start_again = now + milliseconds(200) * (1 << slot.quick_deaths);
  LogWarning(absl::StrCat("local worker ", index, " ended by ", Describe(wait_status)));
}

void LocalWorkers::SpawnDue() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.pid > 0 || slot.given_up || SteadyClock::now() < slot.start_again) continue;
    const absl::Status spawned = Spawn(slot, i);
    if (spawned.ok()) {
      if (started_) LogInfo(absl::StrCat("local worker ", i, " is started again"));
      continue;
    }
    slot.start_again = SteadyClock::now() + kPauseAfterNoFork;
    if (!started_) {
      start_error_.Update(spawned);
    } else {
      LogError(Message(spawned));
    }
  }
  started_ = true;
}

std::vector<std::string> LocalWorkers::Reap() {
  std::vector<std::string> ended;
  for (size_t i = 0; i < slots_.size(); ++i) {
    int wait_status = 0;
    if (slots_[i].pid <= 0 || waitpid(slots_[i].pid, &wait_status, WNOHANG) == 0) continue;
    OnExit(slots_[i], i, wait_status);
    ended.push_back(NameOf(i));
  }
  return ended;
}

void LocalWorkers::Watch() {
  for (;;) {
    std::vector<std::string> ended;
    {
      MutexLock lock(mutex_);
      if (keep_running_) SpawnDue();
      changed_.notify_all();
      if (over_ && !AnyRuns()) return;
      // There is no waiting for a child and for us at once: it looks now and then.
      changed_.wait_for(mutex_, keep_running_ ? kPoll : kPollAtEnd);
      ended = Reap();
    }
    for (const std::string& worker : ended) options_.on_exit(worker);
  }
}

void LocalWorkers::Signal(int signal) {
  for (const Slot& slot : slots_) {
    if (slot.pid > 0) kill(slot.pid, signal);
  }
}

bool LocalWorkers::AnyRuns() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.pid > 0; });
}

void LocalWorkers::WaitUntilNoneRuns(SteadyClock::time_point end) {
  while (AnyRuns() && SteadyClock::now() < end) changed_.wait_until(mutex_, end);
}

void LocalWorkers::Wait(milliseconds patience) {
  MutexLock lock(mutex_);
  keep_running_ = false;
  WaitUntilNoneRuns(SteadyClock::now() + patience);
}

void LocalWorkers::Stop(milliseconds patience) {
  if (!watcher_.joinable()) return;
  {
    MutexLock lock(mutex_);
    keep_running_ = false;
    Signal(SIGTERM);
    WaitUntilNoneRuns(SteadyClock::now() + patience);
    if (AnyRuns()) LogWarning(absl::StrCat("local workers did not end within ", patience.count(), " ms: killed"));
    Signal(SIGKILL);
    over_ = true;
    changed_.notify_all();
  }
  watcher_.join();  // when nothing runs
}

absl::Status LocalWorkers::status() const {
  MutexLock lock(mutex_);
  return status_;
}

}  // namespace heterosis
