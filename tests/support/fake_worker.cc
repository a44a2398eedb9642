// SPDX-License-Identifier: Apache-2.0
// A worker for the fault tests: the real session with the real network, but answers by arithmetic on the recipe
// (small_experiment.h), so that a run takes a second. Takes the options that the coordinator gives its local workers.
// FAKE_WORKER_DELAY_MS: how long each shard takes (0). Points of common/base/failpoint.h: "before evaluate" and "after
// evaluate".
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "common/base/exit_code.h"
#include "common/base/failpoint.h"
#include "common/base/logging.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "tests/support/small_experiment.h"
#include "worker/session/coordinator_client.h"
#include "worker/session/session.h"

namespace heterosis {
namespace {

std::atomic<bool> g_stop = false;

void OnStopSignal(int) {
  if (g_stop.exchange(true)) _exit(130);
}

class ArithmeticRunner : public TrialRunner {
 public:
  explicit ArithmeticRunner(std::chrono::milliseconds delay) : delay_(delay) {}

  absl::Status Prepare(const Task&) override { return absl::OkStatus(); }

  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    Failpoint("before evaluate");
    std::this_thread::sleep_for(delay_);
    if (cancelled) return absl::CancelledError("told to stop");
    ShardResult result = Evaluate(work);
    Failpoint("after evaluate");
    return result;
  }

  // The same recipe and question always give the same logits.
  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>&) override {
    CanaryResult result{.number = work.number};
    for (const Problem& problem : work.problems) {
      RandomStream noise(RandomKey({HashText(RecipeDigest(work.recipe)), HashText(problem.question)}));
      CanaryAnswer& answer = result.answers.emplace_back();
      for (int step = 0; step < work.steps; ++step) {
        CanaryStep& logits = answer.emplace_back();
        for (int rank = 0; rank < work.top; ++rank) {
          logits.push_back({static_cast<int32_t>(noise.NextBelow(1000)), static_cast<float>(-rank)});
        }
      }
    }
    return result;
  }

 private:
  const std::chrono::milliseconds delay_;
};

int Main(const std::vector<std::string>& words) {
  InitLogging("fake_worker", LogFormat::kText, false);
  struct sigaction action {};
  action.sa_handler = OnStopSignal;
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);

  SessionOptions session;
  session.device = "cpu";
  std::string coordinator;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--coordinator") coordinator = words[i + 1];
    if (words[i] == "--name") session.worker_name = words[i + 1];
    const size_t equals = words[i + 1].find('=');
    if (words[i] == "--model") session.models[words[i + 1].substr(0, equals)] = words[i + 1].substr(equals + 1);
  }
  const char* delay = std::getenv("FAKE_WORKER_DELAY_MS");
  ArithmeticRunner runner(std::chrono::milliseconds(delay == nullptr ? 0 : std::atoi(delay)));
  const std::unique_ptr<CoordinatorClient> client = MakeCoordinatorClient(coordinator);
  return Tell(RunSession(session, *client, runner, g_stop));
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main({argv + 1, argv + argc});
}
