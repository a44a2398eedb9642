// SPDX-License-Identifier: Apache-2.0
// Implements app.h: client and runner are put together here.
#include "worker/app.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/evaluate/merge_trial_runner.h"
#include "worker/session/coordinator_client.h"
#include "worker/session/session.h"

namespace heterosis {
namespace {

std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

void OnStopSignal(int) {
  if (g_stop.exchange(true)) _exit(130);  // the second one: at once
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "worker";
}

}  // namespace

absl::Status Work(const WorkOptions& options) {
  struct sigaction action {};
  action.sa_handler = OnStopSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const std::unique_ptr<TrialRunner> runner =
      MakeTrialRunner({.models = options.models, .device = options.device, .language_model = options.language_model});
  const std::unique_ptr<CoordinatorClient> client = MakeCoordinatorClient(options.coordinator);
  SessionOptions session;
  session.device = Name(options.device);
  session.worker_name = options.name.empty() ? absl::StrCat(HostName(), ":", session.device) : options.name;
  session.models = options.models;
  LogInfo(absl::StrCat("worker ", session.worker_name, " on ", session.device, " dials ", options.coordinator));
  return RunSession(session, *client, *runner, g_stop);
}

std::string FindLanguageModel() {
  if (const char* path = std::getenv("HETEROSIS_LANGUAGE_MODEL"); path != nullptr) return path;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string installed = (program.parent_path().parent_path() / "share/heterosis/lid.176.ftz").string();
  if (!error && FileExists(installed)) return installed;
  return HETEROSIS_DEPS_FOLDER "/lid.176.ftz";
}

}  // namespace heterosis
