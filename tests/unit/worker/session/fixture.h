// SPDX-License-Identifier: Apache-2.0
// A session between a scripted coordinator and a runner without models.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "worker/session/session.h"

namespace heterosis {

using std::chrono::milliseconds;

inline ShardWork Work(int64_t trial) {
  ShardWork work;
  work.key = {trial, 0, 1};
  return work;
}

// Answers lease calls from a list, then "finished"; records what is reported.
class ScriptedCoordinator : public CoordinatorClient {
 public:
  absl::StatusOr<Registration> Register(const std::string&, const std::string&) override {
    ++registrations;
    if (!register_error.ok()) return register_error;
    Registration registration;
    registration.session = "session-" + std::to_string(registrations);
    registration.run = run;
    registration.models = models;
    registration.task = task;
    registration.heartbeat_interval = milliseconds(1);
    return registration;
  }
  absl::StatusOr<LeaseAnswer> Lease(const std::string& session, const std::vector<ModelIdentity>& has, milliseconds,
                                    bool device_error) override {
    device_errors.push_back(device_error);
    ++lease_calls;
    last_session = session;
    leased_with = has;
    if (on_lease) on_lease();
    if (leases.empty()) return LeaseAnswer(Finished{});
    auto answer = std::move(leases.front());
    leases.pop_front();
    return answer;
  }
  absl::StatusOr<std::vector<ShardKey>> Heartbeat(const LeaseHolder& holder,
                                                  const std::vector<ShardKey>& holding) override {
    ++heartbeats;
    last_heartbeat = holder;
    if (!heartbeat_errors.empty()) {
      const absl::Status error = heartbeat_errors.front();
      heartbeat_errors.pop_front();
      return error;
    }
    return cancel_all ? holding : std::vector<ShardKey>();
  }
  absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardResult& result) override {
    last_session = holder.session;
    reported_runs.push_back(holder.run);
    if (on_report) on_report();
    if (!report_errors.empty()) {
      const absl::Status error = report_errors.front();
      report_errors.pop_front();
      return error;
    }
    results.push_back(result.key);
    return true;
  }
  absl::StatusOr<bool> Report(const LeaseHolder&, const ShardFailure& failure) override {
    if (!failure_errors.empty()) {
      const absl::Status error = failure_errors.front();
      failure_errors.pop_front();
      return error;
    }
    failures.push_back(failure);
    return true;
  }

  absl::StatusOr<bool> Report(const LeaseHolder& holder, const CanaryResult& canary) override {
    reported_runs.push_back(holder.run);
    canaries.push_back(canary);
    return true;
  }

  absl::Status register_error;
  std::vector<ModelIdentity> models;
  Task task{.prompt_template = "{input}"};
  std::deque<absl::StatusOr<LeaseAnswer>> leases;
  std::deque<absl::Status> report_errors;
  std::deque<absl::Status> failure_errors;
  std::deque<absl::Status> heartbeat_errors;
  bool cancel_all = false;
  std::string run = "run-a";
  std::function<void()> on_lease, on_report;

  int lease_calls = 0;
  std::atomic<int> registrations = 0;
  std::atomic<int> heartbeats = 0;
  std::string last_session;
  LeaseHolder last_heartbeat;
  std::vector<std::string> reported_runs;
  std::vector<ModelIdentity> leased_with;
  std::vector<ShardKey> results;
  std::vector<ShardFailure> failures;
  std::vector<CanaryResult> canaries;
  std::vector<bool> device_errors;  // of the lease calls
};

class ScriptedRunner : public TrialRunner {
 public:
  absl::Status Prepare(const Task&) override {
    ++prepared;
    return prepare();
  }
  absl::StatusOr<ShardResult> Run(const ShardWork& work, const std::atomic<bool>& cancelled) override {
    return run(work, cancelled);
  }

  absl::StatusOr<CanaryResult> RunCanary(const CanaryWork& work, const std::atomic<bool>& cancelled) override {
    return run_canary(work, cancelled);
  }

  int prepared = 0;
  std::function<absl::Status()> prepare = [] { return absl::OkStatus(); };
  std::function<absl::StatusOr<CanaryResult>(const CanaryWork&, const std::atomic<bool>&)> run_canary =
      [](const CanaryWork& work, const std::atomic<bool>&) {
        return CanaryResult{.number = work.number, .answers = {{{{1, 0.5F}}}}};
      };
  std::function<absl::StatusOr<ShardResult>(const ShardWork&, const std::atomic<bool>&)> run =
      [](const ShardWork& work, const std::atomic<bool>&) { return ShardResult{.key = work.key, .samples = {}}; };
};

// Runs until cancelled, as a long decode does.
inline absl::StatusOr<ShardResult> RunUntilCancelled(const ShardWork&, const std::atomic<bool>& cancelled) {
  while (!cancelled) std::this_thread::yield();
  return absl::CancelledError("cancelled");
}

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    options_.worker_name = "w";
    options_.retry_first = milliseconds(1);
    options_.retry_last = milliseconds(2);
    options_.unreachable_max = milliseconds(60'000);  // a loaded machine may stand still for a second
  }
  void GiveUpSoon() { options_.unreachable_max = milliseconds(200); }
  absl::Status Run() { return RunSession(options_, coordinator_, runner_, stop_); }

  SessionOptions options_;
  ScriptedCoordinator coordinator_;
  ScriptedRunner runner_;
  std::atomic<bool> stop_ = false;
};

}  // namespace heterosis
