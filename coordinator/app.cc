// SPDX-License-Identifier: Apache-2.0
// Implements app.h; reads as the design: inputs -> store -> experiment -> service -> server -> local workers.
#include "coordinator/app.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/experiment/experiment.h"
#include "coordinator/experiment/inputs.h"
#include "coordinator/local_workers.h"
#include "coordinator/progress_line.h"
#include "coordinator/service/experiment_service.h"
#include "coordinator/service/server.h"
#include "coordinator/store/store.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{200};
constexpr milliseconds kDrain{8'000};  // for workers to hear that it is over
constexpr milliseconds kGoodbyePoll{20};

std::atomic<int> g_stop_signals = 0;
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

void OnStopSignal(int) {
  // The first asks for an orderly end; everything that counts is on disk already, so the second may end at once.
  if (g_stop_signals.fetch_add(1) > 0) _exit(130);
}

// An admin's call is the first signal, and never the second.
void OnStopCall() {
  int none = 0;
  g_stop_signals.compare_exchange_strong(none, 1);
}

void CatchStopSignals() {
  struct sigaction action {};
  action.sa_handler = OnStopSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

std::string BesideThisProgram(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

std::string WorkerProgram(const RunOptions& options) {
  return options.worker_program.empty() ? BesideThisProgram("worker") : options.worker_program;
}

ServerOptions ListenOptions(const RunOptions& options) {
  ServerOptions server;
  server.insecure = options.insecure;
  server.tls_cert = options.tls_cert;
  server.tls_key = options.tls_key;
  server.tls_client_ca = options.tls_client_ca;
  server.token_file = options.token_file;
  if (const char* tokens = std::getenv("HETEROSIS_TOKENS"); tokens != nullptr) server.tokens = tokens;
  server.local_workers = options.local_workers > 0;
  server.on_stop = OnStopCall;
  if (!options.listen.empty()) {
    server.address = options.listen;
  } else if (options.local_workers > 0) {
    server.address = "127.0.0.1:0";
  }
  return server;
}

LocalWorkersOptions LocalOptions(const RunOptions& options, const Inputs& inputs, const Server& server,
                                 const std::string& database) {
  LocalWorkersOptions local;
  local.program = WorkerProgram(options);
  local.coordinator = server.local_address();
  local.token = server.local_token();
  local.models = inputs.model_folders;
  local.count = options.local_workers;
  local.threads =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / std::max(1, options.local_workers));
  local.log_prefix = database;
  return local;
}

// An error while it runs is a failed run, not a bad request, whatever its code says where it arose.
absl::Status RunFailed(const absl::Status& status) {
  return status.ok() ? status : absl::AbortedError(status.message());
}

// Until the experiment ends, a signal comes, or no worker is left: local ones that were given up end a run only where
// nobody else carries it.
absl::Status Serve(ExperimentService& service, const LocalWorkers& workers, ProgressLine& line) {
  bool told_given_up = false;
  while (g_stop_signals == 0 && !service.finished()) {
    std::this_thread::sleep_for(kTick);
    const absl::Status ticked = service.Tick();
    if (!ticked.ok() && !Experiment::MayPass(ticked)) return ticked;
    const Progress progress = service.progress();
    if (const absl::Status local = workers.status(); !local.ok()) {
      if (progress.workers == 0) return local;
      if (!told_given_up) LogWarning(absl::StrCat("the run goes on without local workers: ", local.message()));
      told_given_up = true;
    }
    line.Show(progress);
  }
  return absl::OkStatus();
}

// Workers that dialled in by themselves hear that it is finished when they ask next.
void SayGoodbye(const ExperimentService& service) {
  const int signals = g_stop_signals;
  const auto end = std::chrono::steady_clock::now() + kDrain;
  while (!service.EveryoneKnowsTheEnd() && g_stop_signals == signals && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kGoodbyePoll);
  }
}

absl::Status Outcome(const Experiment& experiment, const std::string& database) {
  if (experiment.state() == ExperimentState::kFailed) return absl::AbortedError(experiment.error());
  if (experiment.state() == ExperimentState::kDone) {
    LogInfo(absl::StrFormat("done. See: coordinator best --db %s", database));
  } else {
    LogInfo(absl::StrFormat("stopped; everything is in %s, and the same command goes on from there", database));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunCoordinator(const RunOptions& options) {
  CatchStopSignals();
  // What can be wrong with the command is said before anything is written.
  const ServerOptions listen = ListenOptions(options);
  RETURN_IF_ERROR(CheckListen(listen));
  if (options.local_workers > 0) RETURN_IF_ERROR(LocalWorkers::CheckProgram(WorkerProgram(options)));
  ASSIGN_OR_RETURN(Inputs inputs, ReadInputs(options.config));
  inputs.setup.local_workers = LocalWorkers::Names(options.local_workers);
  const std::string database = options.database.empty() ? inputs.setup.config.name() + ".db" : options.database;
  const milliseconds lease(static_cast<int64_t>(inputs.setup.config.scheduling().lease_seconds() * 1000));

  const SystemClock clock;
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open({.path = database}));
  ASSIGN_OR_RETURN(const std::unique_ptr<Experiment> experiment, Experiment::Open(inputs.setup, *store, clock));
  if (experiment->finished()) {
    LogInfo(absl::StrFormat("experiment \"%s\" in %s has ended already", experiment->name(), database));
    return Outcome(*experiment, database);
  }

  ExperimentService service(*experiment, inputs.task, lease);
  ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(listen, service));
  LogInfo(absl::StrFormat("experiment \"%s\", database %s, waiting for workers on %s", experiment->name(), database,
                          server->address()));

  LocalWorkersOptions local = LocalOptions(options, inputs, *server, database);
  local.on_exit = [&service](const std::string& worker) { service.WorkerLost(worker); };
  LocalWorkers workers(std::move(local));
  if (options.local_workers > 0) RETURN_IF_ERROR(workers.Start());

  ProgressLine line(options.live_progress);
  const absl::Status served = Serve(service, workers, line);
  line.Finish();
  // Finished: workers that ask now hear so and leave by themselves. Stopped: they get no more, and ours a signal.
  if (service.finished()) {
    workers.Wait(kDrain);
    SayGoodbye(service);
  } else {
    service.StopLeasing();
  }
  workers.Stop(kDrain);
  server->Stop(milliseconds(1'000));
  RETURN_IF_ERROR(RunFailed(served));
  return Outcome(*experiment, database);
}

}  // namespace heterosis
