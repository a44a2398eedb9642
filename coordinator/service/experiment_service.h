// SPDX-License-Identifier: Apache-2.0
// The worker protocol over a running experiment: sessions, long polls, and the one lock of the coordinator, which is
// held around every use of the experiment.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "common/trial/canary.h"
#include "common/trial/task.h"
#include "coordinator/experiment/experiment.h"
#include "heterosis/v1/worker_service.pb.h"

namespace heterosis {

// What a simulation replaces, so that a run of it can be repeated exactly.
struct ServiceOptions {
  const Clock* clock = nullptr;  // of silence; default: the system's. Long polls always wait in real time.
  std::string session_prefix;    // must differ between starts of the coordinator; default: a random one
};

// Thread-safe. The handlers return gRPC's codes as absl::Status; worker_service.proto says what each means.
class ExperimentService {
 public:
  // `experiment` must outlive this, and nothing else may use it meanwhile. A lease lasts `lease` without a heartbeat.
  ExperimentService(Experiment& experiment, Task task, Clock::Duration lease, ServiceOptions options = {});

  absl::Status Register(const v1::RegisterRequest& request, v1::RegisterResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);
  // `gone` says whether the caller still listens: what it would never receive is not handed out.
  absl::Status Lease(const v1::LeaseRequest& request, const std::function<bool()>& gone, v1::LeaseResponse* response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Heartbeat(const v1::HeartbeatRequest& request, v1::HeartbeatResponse* response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Report(const v1::ReportRequest& request, v1::ReportResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);

  // Expires leases; call a few times a second. An error says that nothing can be written; call again where it may pass
  // (Experiment::MayPass). One that cannot pass is told here too when it was a worker's call that met it.
  absl::Status Tick() ABSL_LOCKS_EXCLUDED(mutex_);

  // A worker's process has ended without a word: whatever its sessions hold is free at once.
  void WorkerLost(const std::string& worker) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the experiment is finished and every worker that was heard of within the last lease time has been told so:
  // the server may go then without leaving one behind that looks for it.
  bool EveryoneKnowsTheEnd() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Hands out no shard from now on; waiting lease calls return. That the experiment is finished is still told.
  void StopLeasing() ABSL_LOCKS_EXCLUDED(mutex_);

  Progress progress() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool finished() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Outcome = std::variant<ShardResult, ShardFailure, CanaryResult>;
  struct Session {
    std::string worker;        // its name
    Clock::Duration heard{0};  // last
    bool gone = false;         // told the end, sent away or dead: nothing more is to come from it
  };

  // Notes that it was heard of.
  absl::Status CheckSession(const std::string& session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckModels(const v1::LeaseRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a worker is told of an error that is not its own: to come again. Notes one that cannot pass.
  absl::Status TryAgainLater(const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Wakes as many waiting lease calls as there is work for, and all at the end: a thousand idle workers must not all be
  // woken by every result. What a woken one may not have, others find when they look by themselves (kGonePoll).
  void WakeWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<bool> Take(const std::string& session, const Outcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A canary, a shard, or the end, or nothing for now.
  absl::Status TryLease(const std::string& session, v1::LeaseResponse* response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Experiment& experiment_;
  const v1::TaskSpec task_;
  const Clock::Duration lease_;
  const SystemClock system_clock_;
  const Clock& clock_;
  const std::string
      session_prefix_;  // differs between starts: a session of an earlier coordinator is not taken for one of ours
  mutable Mutex mutex_;
  CondVar changed_;  // work may have come up, or the end
  std::map<std::string, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);  // the first error that cannot pass
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;  // lease calls
};

}  // namespace heterosis
