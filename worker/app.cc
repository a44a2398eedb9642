// SPDX-License-Identifier: Apache-2.0
// Implements app.h: client, runner and evaluation child are put together here.
#include "worker/app.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string_view>
#include <system_error>

#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/device/device.h"
#include "worker/evaluate/merge_trial_runner.h"
#include "worker/session/coordinator_client.h"
#include "worker/session/session.h"
#include "worker/session/spool.h"
#include "worker/supervisor/child_process.h"
#include "worker/supervisor/child_trial_runner.h"

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

std::string DeviceName(const EvaluationSetup& setup) {
  return Name(setup.gpu < 0 ? Device{} : Device{.kind = Device::Kind::kCuda, .index = setup.gpu});
}

// The first value of `key` in a file of lines "key : value"; empty where there is none.
std::string ValueOf(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

// The device and its make, "cpu (AMD EPYC 9R14)": the coordinator compares answers text for text only where this is the
// same but for a GPU's number, for other makes may round a sum otherwise.
std::string DeviceAndMake(const EvaluationSetup& setup) {
  std::set<std::string> makes;
  if (setup.gpu < 0) {
    makes.insert(ValueOf("/proc/cpuinfo", "model name"));
  } else {  // which of several kinds has our number the driver's files do not say: then all of them are the make
    std::error_code none;
    for (const auto& gpu : std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", none)) {
      makes.insert(ValueOf((gpu.path() / "information").string(), "Model"));
    }
  }
  makes.erase("");
  std::string name = DeviceName(setup);
  if (!makes.empty()) absl::StrAppend(&name, " (", absl::StrJoin(makes, ", "), ")");
  return name;
}

ChildTrialRunnerOptions RunnerOptions(const WorkOptions& options) {
  ChildTrialRunnerOptions runner;
  runner.arguments = {kEvaluationCommand};
  if (!options.evaluation_program.empty()) runner.program = options.evaluation_program;
  runner.setup = options.setup;
  if (options.hang_seconds > 0) runner.hang_max = std::chrono::seconds(options.hang_seconds);
  return runner;
}

std::string SpoolFolder(const WorkOptions& options) {
  if (options.spool == "none") return "";
  if (!options.spool.empty()) return options.spool;
  // Without being asked for, it must not keep a worker from starting: a service may have no home that it can write to.
  const std::string folder = DefaultSpoolFolder();
  const absl::Status usable =
      folder.empty() ? absl::NotFoundError("neither XDG_STATE_HOME nor HOME is set") : Spool::Open(folder).status();
  if (usable.ok()) return folder;
  LogWarning(
      absl::StrCat("no spool, so finished shards are lost where this worker ends while no coordinator takes them: ",
                   usable.message(), "; name one with --spool"));
  return "";
}

absl::StatusOr<std::unique_ptr<TrialRunner>> MakeRunner(const EvaluationSetup& setup, std::atomic<uint64_t>& progress) {
  Device device = OpenCpu(setup.threads);
  if (setup.gpu >= 0) {
    ASSIGN_OR_RETURN(device, OpenCuda(setup.gpu, setup.threads));
  }
  return MakeTrialRunner(
      {.models = setup.models, .device = device, .language_model = setup.language_model, .progress = &progress});
}

}  // namespace

absl::Status EvaluateForParent() {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kChildSocket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return absl::InvalidArgumentError("this command is for workers: they start it themselves");
  }
  prctl(PR_SET_NAME, "worker-eval");
  ServeEvaluation(kChildSocket, MakeRunner);
}

absl::Status Work(const WorkOptions& options) {
  struct sigaction action {};
  action.sa_handler = OnStopSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);

  // What is wrong with the options is told before anything is started.
  ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorClient> client,
                   MakeCoordinatorClient(options.coordinator, options.security));
  const std::unique_ptr<ChildTrialRunner> runner = MakeChildTrialRunner(RunnerOptions(options), g_stop);
  RETURN_IF_ERROR(runner->Start());
  // A GPU that is not there is told before the coordinator is dialled; a CPU is, and its child loads meanwhile.
  if (options.setup.gpu >= 0) {
    if (const absl::Status ready = runner->WaitReady(); !ready.ok()) return g_stop ? absl::OkStatus() : ready;
  }
  SessionOptions session;
  session.device = DeviceAndMake(options.setup);
  session.worker_name = options.name.empty() ? absl::StrCat(HostName(), ":", DeviceName(options.setup)) : options.name;
  session.models = options.setup.models;
  session.coordinator = options.coordinator;
  session.spool = SpoolFolder(options);
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
