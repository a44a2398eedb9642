// SPDX-License-Identifier: Apache-2.0
// A worker's session as worker/session/session.cc has it, as a state machine on virtual time: register, lease, evaluate
// while heartbeats go out, report until it is acknowledged; and what session.cc has not: sudden death, freezing, a
// supervisor that starts it again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "common/trial/trial.h"
#include "tests/scenario/events.h"
#include "tests/scenario/network.h"
#include "tests/scenario/referee.h"

namespace heterosis {

struct Dies {};  // the process ends without a word
using ShardOutcome = std::variant<ShardResult, ShardFailure, Dies>;

struct WorkerOptions {
  int place = 0;  // in the network
  std::string name;
  bool other_files = false;  // its model files are not the coordinator's: it must get no work
  std::function<ShardOutcome(const std::string& worker, const ShardWork&)> evaluate;
  std::function<Clock::Duration(const ShardWork&)> duration;  // of an evaluation
  Clock::Duration restart{3'000};                             // after a death
  std::function<void(const std::string& worker)> on_death;    // the coordinator's host sees it (a local worker)
};

class SimulatedWorker {
 public:
  SimulatedWorker(Events& events, Network& network, Referee& referee, WorkerOptions options)
      : events_(events), network_(network), referee_(referee), options_(std::move(options)) {}

  void Start();
  // kill -9; the supervisor starts it again.
  void Die();
  // SIGSTOP, and SIGCONT that much later.
  void Freeze(Clock::Duration duration) { frozen_until_ = std::max(frozen_until_, events_.now() + duration); }

  // For the figures of simulate --scale.
  bool evaluating() const { return shard_.has_value(); }

 private:
  struct Shard {
    ShardWork work;
    std::string run;  // that it was leased under
    bool done = false, cancelled = false, calling = false;
  };

  void In(Clock::Duration delay, std::function<void()> action);
  // Now, or once it is thawed; not in another life.
  void WhenAwake(int life, std::function<void()> action);
  void Call(Request request, Clock::Duration deadline, std::function<void(const Reply&)> then);
  // Repeats the call while it fails for what may pass. `then` gets an answer or an error that is for good.
  void Retrying(const Request& request, Clock::Duration deadline, std::function<void(const Reply&)> then);
  void Retry(std::shared_ptr<const Request> request, Clock::Duration deadline, Clock::Duration start,
             Clock::Duration pause, std::function<void(const Reply&)> then);

  Request Registration() const;
  void Register(std::function<void()> then);
  void Ask();
  void OnLease(const v1::LeaseResponse& response, Clock::Duration asked);
  void AnswerTheCanary(const CanaryWork& work);
  void Begin(ShardWork work);
  void Heartbeat(int64_t shard);
  void OnHeartbeat(int64_t shard, const Reply& reply, bool registered_anew);
  void AfterHeartbeat(int64_t shard);
  void Finished(int64_t shard);
  void Deliver(const ShardOutcome& evaluation, const std::string& run);
  void OnDelivered(const ShardOutcome& evaluation, const std::string& run, const Reply& reply);
  // The process ends by itself.
  void Exit(const absl::Status& why);

  Events& events_;
  Network& network_;
  Referee& referee_;
  const WorkerOptions options_;
  int life_ = 0;
  Clock::Duration frozen_until_{0};
  v1::RegisterResponse registration_;
  Clock::Duration pause_{0};  // before the next lease call, where answers come at once
  int64_t shards_ = 0;        // begun so far: names the one in work
  std::optional<Shard> shard_;
};

}  // namespace heterosis
