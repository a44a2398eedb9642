// SPDX-License-Identifier: Apache-2.0
// A worker for the fault tests: the real session with the real network, but answers by arithmetic on the recipe
// (small_experiment.h), so that a run takes a second. Takes the options that the coordinator gives its local workers.
// FAKE_WORKER_DELAY_MS: how long each shard takes (0). Points of common/base/failpoint.h: "before evaluate" and "after
// evaluate".
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/exit_code.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "tests/support/arithmetic_runner.h"
#include "tests/support/stop_signal.h"
#include "worker/session/coordinator_client.h"
#include "worker/session/session.h"

namespace heterosis {
namespace {

int Main(const std::vector<std::string>& words) {
  InitLogging("fake_worker", LogFormat::kText, false);
  const std::atomic<bool>& stop = StopAtSigterm();

  SessionOptions session;
  session.device = "cpu";
  std::string coordinator;
  ClientSecurity security;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "--coordinator") coordinator = words[i + 1];
    if (words[i] == "--tls-ca") security.tls_ca = words[i + 1];
    if (words[i] == "--tls-cert") security.tls_cert = words[i + 1];
    if (words[i] == "--tls-key") security.tls_key = words[i + 1];
    if (words[i] == "--token-file") security.token_file = words[i + 1];
    if (words[i] == "--name") session.worker_name = words[i + 1];
    const size_t equals = words[i + 1].find('=');
    if (words[i] == "--model") session.models[words[i + 1].substr(0, equals)] = words[i + 1].substr(equals + 1);
  }
  const char* delay = std::getenv("FAKE_WORKER_DELAY_MS");
  ArithmeticRunner runner(std::chrono::milliseconds(delay == nullptr ? 0 : std::atoi(delay)));
  const absl::StatusOr<std::unique_ptr<CoordinatorClient>> client = MakeCoordinatorClient(coordinator, security);
  if (!client.ok()) return Tell(client.status());
  return Tell(RunSession(session, **client, runner, stop));
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main({argv + 1, argv + argc});
}
