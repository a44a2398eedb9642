// SPDX-License-Identifier: Apache-2.0
// Implements simulated_worker.h.
#include "tests/scenario/simulated_worker.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "proto/wire.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

// Those of worker/session.
constexpr milliseconds kLeaseWait{10'000};
constexpr milliseconds kCallDeadline{20'000};
constexpr milliseconds kCanary{2'000};  // its decode
constexpr milliseconds kRetryFirst{200};
constexpr milliseconds kRetryLast{5'000};
constexpr milliseconds kUnreachableMax{10 * 60 * 1000};

bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status) ||
         absl::IsResourceExhausted(status) || absl::IsAborted(status);
}

}  // namespace

void SimulatedWorker::WhenAwake(int life, std::function<void()> action) {
  if (life != life_) return;
  if (events_.now() >= frozen_until_) return action();
  events_.After(frozen_until_ - events_.now(),
                [this, life, action = std::move(action)]() mutable { WhenAwake(life, std::move(action)); });
}

void SimulatedWorker::In(Clock::Duration delay, std::function<void()> action) {
  events_.After(delay,
                [this, life = life_, action = std::move(action)]() mutable { WhenAwake(life, std::move(action)); });
}

void SimulatedWorker::Call(Request request, Clock::Duration deadline, std::function<void(const Reply&)> then) {
  network_.Call(options_.place, std::move(request), deadline,
                [this, life = life_, then = std::move(then)](Reply reply) {
                  WhenAwake(life, [then, reply = std::move(reply)] { then(reply); });
                });
}

void SimulatedWorker::Retrying(const Request& request, Clock::Duration deadline,
                               std::function<void(const Reply&)> then) {
  Retry(std::make_shared<const Request>(request), deadline, events_.now(), kRetryFirst, std::move(then));
}

void SimulatedWorker::Retry(std::shared_ptr<const Request> request, Clock::Duration deadline, Clock::Duration start,
                            Clock::Duration pause, std::function<void(const Reply&)> then) {
  Call(*request, deadline, [=, this](const Reply& reply) {
    if (reply.ok() || !IsTransient(reply.status())) return then(reply);
    if (events_.now() - start > kUnreachableMax) return Exit(reply.status());
    In(pause, [=, this] { Retry(request, deadline, start, std::min(pause * 2, Clock::Duration(kRetryLast)), then); });
  });
}

Request SimulatedWorker::Registration() const {
  v1::RegisterRequest request;
  request.set_protocol_version(kProtocolVersion);
  request.set_recipe_version(Recipe::kVersion);
  request.set_worker(options_.name);
  request.set_device("cpu");
  return request;
}

void SimulatedWorker::Register(std::function<void()> then) {
  Retrying(Registration(), kCallDeadline, [this, then = std::move(then)](const Reply& reply) {
    if (!reply.ok()) return Exit(reply.status());
    registration_ = std::get<v1::RegisterResponse>(*reply);
    referee_.Log("%s: registered as %s", options_.name, registration_.session());
    then();
  });
}

void SimulatedWorker::Start() {
  ++life_;
  shard_.reset();
  pause_ = kRetryFirst;
  frozen_until_ = events_.now();
  Register([this] { Ask(); });
}

void SimulatedWorker::Die() {
  referee_.Log("%s: dies", options_.name);
  ++life_;
  shard_.reset();
  network_.WorkerDied(options_.place);
  if (options_.on_death) options_.on_death(options_.name);
  In(options_.restart, [this] { Start(); });
  frozen_until_ = events_.now();
}

void SimulatedWorker::Exit(const absl::Status& why) {
  referee_.Log("%s: ends: %s", options_.name, std::string(why.message()));
  Die();
}

void SimulatedWorker::Ask() {
  v1::LeaseRequest request;
  request.set_session(registration_.session());
  for (const v1::ModelIdentity& model : registration_.models()) *request.add_models() = model;
  if (options_.other_files && request.models_size() > 0) request.mutable_models(0)->set_digest("other files");
  request.set_wait_seconds(std::chrono::duration<double>(kLeaseWait).count());
  Retrying(request, kCallDeadline + kLeaseWait, [this, asked = events_.now()](const Reply& reply) {
    if (absl::IsNotFound(reply.status())) return Register([this] { Ask(); });
    if (!reply.ok()) return Exit(reply.status());
    OnLease(std::get<v1::LeaseResponse>(*reply), asked);
  });
}

void SimulatedWorker::OnLease(const v1::LeaseResponse& response, Clock::Duration asked) {
  if (response.finished()) {
    referee_.Log("%s: hears that it is finished", options_.name);
    ++life_;
    return;
  }
  if (response.has_work()) {
    if (options_.other_files) referee_.Violation("%s has other model files and got work", options_.name);
    pause_ = kRetryFirst;
    absl::StatusOr<ShardWork> work = FromWire(response.work());
    if (!work.ok()) return referee_.Violation("work that makes no sense: %s", std::string(work.status().message()));
    return Begin(*std::move(work));
  }
  if (response.has_canary()) {
    const absl::StatusOr<CanaryWork> canary = FromWire(response.canary());
    if (!canary.ok()) return referee_.Violation("a canary that makes no sense: %s", Message(canary.status()));
    In(kCanary, [this, work = *canary] { AnswerTheCanary(work); });
    return;
  }
  if (events_.now() - asked >= kLeaseWait / 2) return Ask();
  In(pause_, [this] { Ask(); });
  pause_ = std::min(pause_ * 2, Clock::Duration(kRetryLast));
}

void SimulatedWorker::AnswerTheCanary(const CanaryWork& work) {
  v1::ReportRequest request;
  request.set_session(registration_.session());
  request.set_run(registration_.run());
  *request.mutable_canary() = ToWire(AnswerCanary(work));
  Retrying(request, kCallDeadline, [this](const Reply& reply) {
    if (absl::IsNotFound(reply.status())) return Register([this] { Ask(); });
    if (!reply.ok()) return referee_.Violation("a right canary was refused: %s", Message(reply.status()));
    Ask();
  });
}

void SimulatedWorker::Begin(ShardWork work) {
  const Clock::Duration duration = options_.duration(work);
  shard_ = Shard{std::move(work), registration_.run()};
  const int64_t shard = ++shards_;
  In(duration, [this, shard] { Finished(shard); });
  In(milliseconds(static_cast<int64_t>(registration_.heartbeat_seconds() * 1000)), [this, shard] { Heartbeat(shard); });
}

void SimulatedWorker::Heartbeat(int64_t shard) {
  if (shard != shards_ || !shard_.has_value() || shard_->done) return;
  shard_->calling = true;
  v1::HeartbeatRequest request;
  request.set_session(registration_.session());
  request.set_run(shard_->run);
  *request.add_holding() = ToWire(shard_->work.key);
  Call(request, kCallDeadline, [this, shard](const Reply& reply) { OnHeartbeat(shard, reply, false); });
}

// A coordinator that was restarted does not know the session: one registration and one more heartbeat get the shard
// back.
void SimulatedWorker::OnHeartbeat(int64_t shard, const Reply& reply, bool registered_anew) {
  if (absl::IsNotFound(reply.status()) && !registered_anew) {
    Call(Registration(), kCallDeadline, [this, shard](const Reply& again) {
      if (!again.ok()) return AfterHeartbeat(shard);
      registration_ = std::get<v1::RegisterResponse>(*again);
      if (registration_.run() != shard_->run) {
        shard_->cancelled = true;
        return AfterHeartbeat(shard);
      }
      v1::HeartbeatRequest request;
      request.set_session(registration_.session());
      request.set_run(shard_->run);
      *request.add_holding() = ToWire(shard_->work.key);
      Call(request, kCallDeadline, [this, shard](const Reply& second) { OnHeartbeat(shard, second, true); });
    });
    return;
  }
  if (reply.ok()) shard_->cancelled |= std::get<v1::HeartbeatResponse>(*reply).cancelled_size() > 0;
  AfterHeartbeat(shard);
}

void SimulatedWorker::AfterHeartbeat(int64_t shard) {
  shard_->calling = false;
  if (shard_->done) return Finished(shard);
  if (shard_->cancelled) {
    referee_.Log("%s: drops trial %d shard %d", options_.name, shard_->work.key.trial, shard_->work.key.shard);
    shard_.reset();
    return Ask();
  }
  In(milliseconds(static_cast<int64_t>(registration_.heartbeat_seconds() * 1000)), [this, shard] { Heartbeat(shard); });
}

void SimulatedWorker::Finished(int64_t shard) {
  if (shard != shards_ || !shard_.has_value()) return;
  shard_->done = true;
  if (shard_->calling) return;  // the session's one thread waits for the heartbeat's answer first
  const ShardOutcome evaluation = options_.evaluate(options_.name, shard_->work);
  const std::string run = shard_->run;
  shard_.reset();
  if (std::holds_alternative<Dies>(evaluation)) return Die();
  Deliver(evaluation, run);
}

void SimulatedWorker::Deliver(const ShardOutcome& evaluation, const std::string& run) {
  if (registration_.run() != run) return Ask();
  v1::ReportRequest request;
  request.set_session(registration_.session());
  request.set_run(run);
  if (const auto* result = std::get_if<ShardResult>(&evaluation)) {
    *request.mutable_result() = ToWire(*result);
  } else {
    *request.mutable_failure() = ToWire(std::get<ShardFailure>(evaluation));
  }
  Retrying(request, kCallDeadline,
           [this, evaluation, run](const Reply& reply) { OnDelivered(evaluation, run, reply); });
}

void SimulatedWorker::OnDelivered(const ShardOutcome& evaluation, const std::string& run, const Reply& reply) {
  if (absl::IsNotFound(reply.status())) {
    return Register([this, evaluation, run] { Deliver(evaluation, run); });
  }
  const auto* result = std::get_if<ShardResult>(&evaluation);
  if (absl::IsInvalidArgument(reply.status()) && result != nullptr) {
    referee_.Violation("a right result was refused: %s", std::string(reply.status().message()));
    return Deliver(ShardFailure{result->key, FailureClass::kCrash, std::string(reply.status().message())}, run);
  }
  if (!reply.ok()) return Exit(reply.status());
  if (result != nullptr && std::get<v1::ReportResponse>(*reply).accepted()) referee_.Acknowledged(result->key);
  Ask();
}

}  // namespace heterosis
