// SPDX-License-Identifier: Apache-2.0
// Implements experiment_service.h.
#include "coordinator/service/experiment_service.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kWaitSecondsMax = 30;
// How often a waiting call looks whether its caller has gone.
constexpr std::chrono::milliseconds kGonePoll{500};
constexpr size_t kSessionsMax = 100'000;
constexpr size_t kNameBytesMax = 200;

absl::StatusOr<std::variant<ShardResult, ShardFailure, CanaryResult>> OutcomeOf(const v1::ReportRequest& request) {
  switch (request.outcome_case()) {
    case v1::ReportRequest::kResult:
      return FromWire(request.result());
    case v1::ReportRequest::kFailure:
      return FromWire(request.failure());
    case v1::ReportRequest::kCanary:
      return FromWire(request.canary());
    case v1::ReportRequest::OUTCOME_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a report without an outcome");
}

// Names stand in tables and logs. `what` says whose.
absl::Status CheckName(std::string_view what, std::string_view name) {
  const bool printable =
      std::none_of(name.begin(), name.end(), [](unsigned char byte) { return absl::ascii_iscntrl(byte); });
  if (name.size() <= kNameBytesMax && printable) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s has at most %d printable characters (--name)", what, kNameBytesMax));
}

std::string RandomPrefix() {
  std::random_device device;
  return absl::StrFormat("%08x", device());
}

}  // namespace

ExperimentService::ExperimentService(Experiment& experiment, Task task, Clock::Duration lease, ServiceOptions options)
    : experiment_(experiment),
      task_(ToWire(task)),
      lease_(lease),
      clock_(options.clock != nullptr ? *options.clock : system_clock_),
      session_prefix_(options.session_prefix.empty() ? RandomPrefix() : std::move(options.session_prefix)) {}

absl::Status ExperimentService::Register(const v1::RegisterRequest& request, v1::RegisterResponse* response) {
  if (request.protocol_version() != kProtocolVersion || request.recipe_version() != Recipe::kVersion) {
    return absl::FailedPreconditionError(
        absl::StrFormat("the worker speaks protocol %d and recipe version %d, this coordinator %d and %d: install the "
                        "same release on both",
                        request.protocol_version(), request.recipe_version(), kProtocolVersion, Recipe::kVersion));
  }
  RETURN_IF_ERROR(CheckName("a worker's name", request.worker()));
  RETURN_IF_ERROR(CheckName("a device's name", request.device()));
  MutexLock lock(mutex_);
  if (sessions_.size() >= kSessionsMax) return absl::ResourceExhaustedError("too many workers have registered");
  const std::string session = absl::StrFormat("%s-%d", session_prefix_, sessions_.size() + 1);
  const absl::Status written = experiment_.RegisterWorker({session, request.worker(), request.device()});
  if (!written.ok()) return TryAgainLater(written);
  sessions_[session] = {.worker = request.worker(), .heard = clock_.Monotonic()};
  LogInfo(absl::StrFormat("worker %s (%s) has joined", request.worker(), request.device()));
  response->set_session(session);
  response->set_experiment(experiment_.name());
  response->set_run(experiment_.run_id());
  for (const ModelRecord& model : experiment_.models()) {
    auto& identity = *response->add_models();
    identity.set_name(model.name);
    identity.set_digest(model.digest);
  }
  *response->mutable_task() = task_;
  response->set_heartbeat_seconds(std::chrono::duration<double>(lease_).count() / 4);
  return absl::OkStatus();
}

absl::Status ExperimentService::CheckSession(const std::string& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return absl::NotFoundError("unknown session: register again");
  found->second.heard = clock_.Monotonic();
  found->second.gone = false;
  return absl::OkStatus();
}

absl::Status ExperimentService::TryAgainLater(const absl::Status& error) {
  if (!Experiment::MayPass(error)) broken_.Update(error);
  return absl::UnavailableError(error.message());
}

absl::Status ExperimentService::CheckModels(const v1::LeaseRequest& request) const {
  for (const ModelRecord& model : experiment_.models()) {
    const auto found = std::find_if(request.models().begin(), request.models().end(),
                                    [&](const v1::ModelIdentity& identity) { return identity.name() == model.name; });
    if (found == request.models().end()) {
      return absl::FailedPreconditionError(absl::StrFormat("the worker has no model \"%s\"", model.name));
    }
    if (found->digest() != model.digest) {
      return absl::FailedPreconditionError(
          absl::StrFormat("the worker's files of model \"%s\" differ from the coordinator's (digest %.12s against "
                          "%.12s): copy the same folder to both",
                          model.name, found->digest(), model.digest));
    }
  }
  return absl::OkStatus();
}

absl::Status ExperimentService::TryLease(const std::string& session, v1::LeaseResponse* response) {
  if (experiment_.finished()) {
    response->set_finished(true);
    sessions_[session].gone = true;  // it hears so, and ends
    return absl::OkStatus();
  }
  if (stopping_) return absl::OkStatus();
  if (const std::optional<CanaryWork> canary = experiment_.CanaryFor(session); canary.has_value()) {
    *response->mutable_canary() = ToWire(*canary);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::optional<ShardWork> work, experiment_.Lease(session));
  if (work.has_value()) *response->mutable_work() = ToWire(*work);
  return absl::OkStatus();
}

absl::Status ExperimentService::Lease(const v1::LeaseRequest& request, const std::function<bool()>& gone,
                                      v1::LeaseResponse* response) {
  const double asked = request.wait_seconds();
  const double wait = asked > 0 ? std::min(asked, kWaitSecondsMax) : 0;  // also of NaN
  const auto end =
      SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(wait));
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckSession(request.session()));
  absl::Status fit = CheckModels(request);
  if (const std::string barred = experiment_.WhyBarred(request.session()); fit.ok() && !barred.empty()) {
    fit = absl::FailedPreconditionError(barred);
  }
  if (!fit.ok()) {
    sessions_[request.session()].gone = true;
    return fit;
  }
  if (request.device_error()) experiment_.DoubtDevice(request.session());
  for (;;) {
    if (!gone()) {
      sessions_[request.session()].heard = clock_.Monotonic();  // who waits is there
      const absl::Status leased = TryLease(request.session(), response);
      if (!leased.ok()) return TryAgainLater(leased);
    }
    if (response->next_case() != v1::LeaseResponse::NEXT_NOT_SET) return absl::OkStatus();
    if (stopping_ || gone() || SteadyClock::now() >= end) break;
    ++waiting_;
    changed_.wait_until(mutex_, std::min(end, SteadyClock::now() + kGonePoll));
    --waiting_;
  }
  response->set_retry(true);
  return absl::OkStatus();
}

absl::Status ExperimentService::Heartbeat(const v1::HeartbeatRequest& request, v1::HeartbeatResponse* response) {
  std::vector<ShardKey> holding;
  for (const v1::ShardKey& key : request.holding()) holding.push_back(FromWire(key));
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckSession(request.session()));
  std::vector<ShardKey> cancelled;
  if (request.run() == experiment_.run_id()) {
    cancelled = experiment_.Heartbeat(request.session(), holding);
  } else {
    cancelled = holding;  // our trials have the same numbers, but are others
    experiment_.Heartbeat(request.session(), {});
  }
  for (const ShardKey& key : cancelled) *response->add_cancelled() = ToWire(key);
  return absl::OkStatus();
}

absl::StatusOr<bool> ExperimentService::Take(const std::string& session, const Outcome& outcome) {
  if (const auto* result = std::get_if<ShardResult>(&outcome)) return experiment_.Report(session, *result);
  if (const auto* failure = std::get_if<ShardFailure>(&outcome)) return experiment_.ReportFailure(session, *failure);
  return experiment_.ReportCanary(session, std::get<CanaryResult>(outcome));
}

absl::Status ExperimentService::Report(const v1::ReportRequest& request, v1::ReportResponse* response) {
  // Parsed before the lock is taken; a report that makes no sense is the caller's error for good.
  ASSIGN_OR_RETURN(const Outcome outcome, OutcomeOf(request));
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(CheckSession(request.session()));
  const std::string& worker = sessions_[request.session()].worker;
  if (request.run() != experiment_.run_id()) {
    LogWarning(absl::StrFormat("a report of worker %s is of another run and does not count", worker));
    response->set_accepted(false);
    return absl::OkStatus();
  }
  const absl::StatusOr<bool> accepted = Take(request.session(), outcome);
  if (!accepted.ok()) {
    // The worker repeats a report that could not be written down, and drops one that is wrong. Of a pause the store
    // tells once.
    if (!Experiment::MayPass(accepted.status()))
      LogWarning(absl::StrFormat("a report of worker %s was not taken: %s", worker, accepted.status().message()));
    return absl::IsInvalidArgument(accepted.status()) ? accepted.status() : TryAgainLater(accepted.status());
  }
  response->set_accepted(*accepted);
  WakeWaiting();
  return absl::OkStatus();
}

void ExperimentService::WakeWaiting() {
  if (experiment_.finished()) return changed_.notify_all();
  const int count = std::min(waiting_, experiment_.shards_waiting());
  for (int i = 0; i < count; ++i) changed_.notify_one();
}

absl::Status ExperimentService::Tick() {
  MutexLock lock(mutex_);
  const absl::Status status = experiment_.Tick();
  WakeWaiting();
  return status.ok() ? broken_ : status;
}

void ExperimentService::WorkerLost(const std::string& worker) {
  MutexLock lock(mutex_);
  for (auto& [session, state] : sessions_) {
    if (state.worker != worker || state.gone) continue;
    state.gone = true;
    // What could not be written down ends with the lease.
    if (const absl::Status lost = experiment_.WorkerLost(session); !lost.ok()) LogWarning(Message(lost));
  }
  changed_.notify_all();
}

bool ExperimentService::EveryoneKnowsTheEnd() const {
  MutexLock lock(mutex_);
  if (!experiment_.finished()) return false;
  const Clock::Duration silent = clock_.Monotonic() - lease_;
  return std::none_of(sessions_.begin(), sessions_.end(),
                      [&](const auto& entry) { return !entry.second.gone && entry.second.heard > silent; });
}

void ExperimentService::StopLeasing() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

Progress ExperimentService::progress() const {
  MutexLock lock(mutex_);
  return experiment_.progress();
}

bool ExperimentService::finished() const {
  MutexLock lock(mutex_);
  return experiment_.finished();
}

}  // namespace heterosis
