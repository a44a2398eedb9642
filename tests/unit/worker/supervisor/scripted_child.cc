// SPDX-License-Identifier: Apache-2.0
// An evaluation child without models: the first problem's question says what is to happen to it.
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>

#include "common/base/status.h"
#include "worker/supervisor/child_process.h"
#include "worker/supervisor/serve_evaluation.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

// Also where a sanitizer has a handler of its own.
void DieBySignal(int number) {
  signal(number, SIG_DFL);
  raise(number);
}

int CountOpenFiles() {
  DIR* folder = opendir("/proc/self/fd");
  int count = -1;  // the folder's own
  while (const dirent* entry = readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  closedir(folder);
  return count;
}

class ScriptedRunner : public TrialRunner {
 public:
  ScriptedRunner(const EvaluationSetup& setup, std::atomic<uint64_t>& progress) : setup_(setup), progress_(progress) {}

  absl::Status Prepare(const Task& task) override {
    if (task.language == "xx") return absl::InvalidArgumentError("does not know the language");
    task_ = task;
    return absl::OkStatus();
  }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    ++shards_;
    RETURN_IF_ERROR(Act(work.problems.at(0).question, cancelled));
    ShardResult result{.key = work.key};
    // What this child is, for the test to read.
    result.samples.push_back({.text = absl::StrCat(getpid()),
                              .answer = setup_.language_model,
                              .prompt_tokens = task_.batch_size,
                              .new_tokens = work.problems[0].question == "files" ? CountOpenFiles() : shards_});
    return result;
  }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) override {
    RETURN_IF_ERROR(Act(work.problems.at(0).question, cancelled));
    return CanaryResult{.number = work.number, .answers = {{{{1, 2.5F}}}}};
  }

 private:
  absl::Status Act(const std::string& what, const std::atomic<bool>& cancelled) {
    if (what == "abort") {
      std::fprintf(stderr, "first line\nthe reason why\n");
      std::abort();
    }
    if (what == "say token") {
      const char* token = std::getenv("HETEROSIS_TOKEN");
      return absl::InternalError(absl::StrCat("token: ", token != nullptr ? token : "none"));
    }
    if (what == "kill") kill(getpid(), SIGKILL);
    if (what == "segv") DieBySignal(SIGSEGV);
    if (what == "exit") _exit(3);
    if (what == "bad_alloc") throw std::bad_alloc();
    if (what == "bad_alloc_unless_one_row" && task_.batch_size > 1) throw std::bad_alloc();
    if (what == "bad_alloc_in_a_thread") std::thread([] { throw std::bad_alloc(); }).join();
    if (what == "throw") throw std::string("no std::exception");
    if (what == "internal") return absl::InternalError("CUDA error: an illegal memory access was encountered");
    if (what == "memory") return absl::ResourceExhaustedError("not even one row fits");
    if (what == "numeric") return absl::DataLossError("NaN");
    if (what == "stop") kill(getpid(), SIGSTOP);
    while (what == "hang") std::this_thread::sleep_for(milliseconds(10));
    while (what == "until cancelled" && !cancelled) std::this_thread::sleep_for(milliseconds(1));
    if (cancelled) return absl::CancelledError("cancelled");
    for (int i = 0; what == "slow" && i < 40; ++i) {
      std::this_thread::sleep_for(milliseconds(100));
      ++progress_;
    }
    return absl::OkStatus();
  }

  const EvaluationSetup setup_;
  std::atomic<uint64_t>& progress_;
  Task task_;
  int shards_ = 0;
};

absl::StatusOr<std::unique_ptr<TrialRunner>> MakeRunner(const EvaluationSetup& setup, std::atomic<uint64_t>& progress) {
  if (setup.gpu >= 0) return absl::NotFoundError(absl::StrCat("there is no GPU ", setup.gpu));
  if (setup.language_model == "dies at once") _exit(9);
  return std::make_unique<ScriptedRunner>(setup, progress);
}

}  // namespace
}  // namespace heterosis

int main() {
  heterosis::ServeEvaluation(heterosis::kChildSocket, heterosis::MakeRunner);
}
