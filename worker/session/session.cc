// SPDX-License-Identifier: Apache-2.0
// Implements session.h. One thread talks to the coordinator; while a shard runs it sends the heartbeats.
#include "worker/session/session.h"

#include <algorithm>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "common/genome/model_digest.h"
#include "worker/session/spool.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kLeaseWait{10'000};
constexpr milliseconds kStopPoll{100};
constexpr size_t kMessageBytesMax = 4'000;  // of a failure; what goes wrong deep inside may quote whole files

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return true;
    default:
      return false;
  }
}

FailureClass ClassOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDataLoss:
      return FailureClass::kNumeric;
    case absl::StatusCode::kResourceExhausted:
      return FailureClass::kMemory;
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnavailable:
      return FailureClass::kInfra;
    case absl::StatusCode::kFailedPrecondition:
      return FailureClass::kInvalid;
    default:
      return FailureClass::kCrash;
  }
}

// The device, or what computes on it, broke: what it says next is to be checked.
bool IsDeviceError(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsUnknown(status);
}

std::string MessageOf(const absl::Status& why) {
  return RepairUtf8(std::string_view(why.message().data(), why.message().size()).substr(0, kMessageBytesMax));
}

class Session {
 public:
  Session(const SessionOptions& options, CoordinatorClient& client, TrialRunner& runner, const std::atomic<bool>& stop)
      : options_(options), client_(client), runner_(runner), stop_(stop) {}

  absl::Status Run() {
    if (!options_.spool.empty()) {
      ASSIGN_OR_RETURN(spool_, Spool::Open(options_.spool));
    }
    RETURN_IF_ERROR(Register());
    milliseconds pause = options_.retry_first;
    while (!stop_) {
      if (const absl::Status prepared = Prepare(); !prepared.ok()) return stop_ ? absl::OkStatus() : prepared;
      const SteadyClock::time_point asked = SteadyClock::now();
      absl::StatusOr<LeaseAnswer> answer =
          Retrying("lease", [&] { return client_.Lease(registration_.session, models_, kLeaseWait, device_error_); });
      if (absl::IsNotFound(answer.status())) {
        RETURN_IF_ERROR(Register());
        continue;
      }
      if (stop_) break;
      RETURN_IF_ERROR(answer.status());
      device_error_ = false;  // the coordinator knows of it
      if (std::holds_alternative<Finished>(*answer)) {
        LogInfo("the experiment is finished");
        return absl::OkStatus();
      }
      if (auto* work = std::get_if<ShardWork>(&*answer)) {
        RETURN_IF_ERROR(Evaluate(*work));
        pause = options_.retry_first;
      } else if (auto* canary = std::get_if<CanaryWork>(&*answer)) {
        RETURN_IF_ERROR(AnswerCanary(*canary));
        pause = options_.retry_first;
      } else if (SteadyClock::now() - asked < kLeaseWait / 2) {
        // A coordinator that hands out nothing any more answers at once: it is not to be asked without end.
        Pause(pause);
        pause = std::min(pause * 2, options_.retry_last);
      }
    }
    return absl::OkStatus();
  }

 private:
  // Repeats `call` while it fails for reasons that may pass, with growing pauses.
  template <typename Call>
  auto Retrying(std::string_view what, Call call) -> decltype(call()) {
    milliseconds pause = options_.retry_first;
    const SteadyClock::time_point start = SteadyClock::now();
    bool told = false;
    for (;;) {
      auto result = call();
      if (result.ok() || !IsTransient(result.status()) || stop_) return result;
      if (SteadyClock::now() - start > options_.unreachable_max) {
        return absl::UnavailableError(absl::StrCat("gave up: no answer from the coordinator (", std::string(what),
                                                   "): ", result.status().message()));
      }
      if (!told)
        LogWarning(absl::StrCat("no answer from the coordinator (", std::string(what),
                                "), trying again: ", result.status().message()));
      told = true;
      Pause(pause);
      pause = std::min(pause * 2, options_.retry_last);
    }
  }

  void Pause(milliseconds duration) {
    for (const auto end = SteadyClock::now() + duration; !stop_ && SteadyClock::now() < end;) {
      std::this_thread::sleep_for(std::min(kStopPoll, duration));
    }
  }

  absl::Status Register() {
    absl::StatusOr<Registration> registration =
        Retrying("register", [&] { return client_.Register(options_.worker_name, options_.device); });
    if (!registration.ok()) return stop_ ? absl::OkStatus() : registration.status();
    Adopt(*std::move(registration));
    return absl::OkStatus();
  }

  void Adopt(Registration registration) {
    registration_ = std::move(registration);
    LogInfo(absl::StrCat("registered for experiment \"", registration_.experiment, "\" as ", registration_.session));
  }

  // Before work of a registration is asked for; not while a shard runs.
  absl::Status Prepare() {
    if (prepared_session_ == registration_.session) return absl::OkStatus();
    RETURN_IF_ERROR(IdentifyModels());
    if (!prepared_task_.has_value() || *prepared_task_ != registration_.task) {
      RETURN_IF_ERROR(runner_.Prepare(registration_.task));
    }
    prepared_task_ = registration_.task;
    DeliverSpooled();
    prepared_session_ = registration_.session;
    return absl::OkStatus();
  }

  // Reads the models once; the coordinator compares.
  absl::Status IdentifyModels() {
    models_.clear();
    for (const ModelIdentity& wanted : registration_.models) {
      const auto folder = options_.models.find(wanted.name);
      if (folder == options_.models.end()) {
        return absl::FailedPreconditionError(absl::StrCat("this worker has no model \"", wanted.name,
                                                          "\": start it with --model ", wanted.name,
                                                          "=FOLDER or put the model into the folder of --models-dir"));
      }
      std::string& digest = digests_[wanted.name];
      if (digest.empty()) {
        ASSIGN_OR_RETURN(digest, ModelDigest(folder->second));
      }
      models_.push_back({wanted.name, digest});
    }
    return absl::OkStatus();
  }

  absl::Status Evaluate(const ShardWork& work) {
    const std::string run = registration_.run;
    std::atomic<bool> cancelled = false;
    auto running = std::async(std::launch::async, [&] { return runner_.Run(work, cancelled); });
    auto next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
    while (running.wait_for(kStopPoll) != std::future_status::ready) {
      if (stop_) cancelled = true;
      if (!cancelled && SteadyClock::now() >= next_heartbeat) {
        if (WasTakenAway(work.key, run)) cancelled = true;
        next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
      }
    }
    absl::StatusOr<ShardResult> result = running.get();
    if (result.ok()) return DeliverResult(*result, run);
    device_error_ = device_error_ || IsDeviceError(result.status());
    if (!stop_ && cancelled) return absl::OkStatus();  // another worker has it, or it is done
    LogWarning(absl::StrCat("trial ", work.key.trial, " shard ", work.key.shard, ": ", result.status().message()));
    RETURN_IF_ERROR(Deliver(ShardFailure{work.key, ClassOf(result.status()), MessageOf(result.status())}, run));
    // A worker that can compute nothing would only take one shard after another and fail it.
    return absl::IsUnavailable(result.status()) && !stop_ ? result.status() : absl::OkStatus();
  }

  // Nobody takes it away; heartbeats without a shard tell that this worker is there.
  absl::Status AnswerCanary(const CanaryWork& work) {
    const std::string run = registration_.run;
    auto running = std::async(std::launch::async, [&] { return runner_.RunCanary(work, stop_); });
    auto next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
    while (running.wait_for(kStopPoll) != std::future_status::ready) {
      if (stop_ || SteadyClock::now() < next_heartbeat) continue;
      (void)client_.Heartbeat({registration_.session, run}, {});  // what it may tell, the report is told again
      next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
    }
    absl::StatusOr<CanaryResult> result = running.get();
    if (stop_) return absl::OkStatus();
    if (!result.ok()) {
      LogWarning(absl::StrCat("canary ", work.number, ": ", result.status().message()));
      device_error_ = device_error_ || IsDeviceError(result.status());
    }
    const absl::Status why = result.status();
    RETURN_IF_ERROR(
        Deliver(result.ok() ? *std::move(result)
                            : CanaryResult{.number = work.number, .failure = ClassOf(why), .message = MessageOf(why)},
                run));
    return absl::IsUnavailable(why) ? why : absl::OkStatus();
  }

  // A coordinator that was restarted knows this session no more and has nothing leased: a new registration and one more
  // heartbeat get the shard back before it goes to another. Nothing here is repeated while it fails: the next heartbeat
  // comes soon, and a coordinator that is away cancels nothing.
  bool WasTakenAway(const ShardKey& key, const std::string& run) {
    auto cancelled = client_.Heartbeat({registration_.session, run}, {key});
    coordinator_away_ = !cancelled.ok();
    if (absl::IsNotFound(cancelled.status())) {
      absl::StatusOr<Registration> again = client_.Register(options_.worker_name, options_.device);
      if (!again.ok()) return false;
      Adopt(*std::move(again));
      if (registration_.run != run) return true;
      cancelled = client_.Heartbeat({registration_.session, run}, {key});
    }
    return cancelled.ok() && std::find(cancelled->begin(), cancelled->end(), key) != cancelled->end();
  }

  // A result that the coordinator will never take (it is too large, or a disagreement of the two programs) costs the
  // shard an attempt, not the worker its life: the trial fails in the end, and others go on.
  absl::Status DeliverResult(const ShardResult& result, const std::string& run) {
    const absl::Status delivered = Deliver(result, run);
    if (!absl::IsInvalidArgument(delivered)) return delivered;
    LogError(absl::StrCat("trial ", result.key.trial, " shard ", result.key.shard,
                          ": the result was refused: ", delivered.message()));
    return Deliver(ShardFailure{result.key, FailureClass::kCrash, MessageOf(delivered)}, run);
  }

  // Keeps what cannot be delivered at once.
  absl::Status Deliver(const ShardResult& result, const std::string& run) {
    // The call may take long to fail, and this worker may be killed meanwhile.
    if (coordinator_away_) Keep(result, run);
    const absl::StatusOr<bool> settled = DeliverUntilTaken(result, run, [&] { Keep(result, run); });
    const bool done = settled.ok() ? *settled : absl::IsInvalidArgument(settled.status());
    if (done && !kept_.empty()) spool_->Remove(kept_);
    kept_.clear();
    return settled.status();
  }

  template <typename Outcome>
  absl::Status Deliver(const Outcome& outcome, const std::string& run) {
    return DeliverUntilTaken(outcome, run, [] {}).status();
  }

  void Keep(const ShardResult& result, const std::string& run) {
    if (spool_ == nullptr || !kept_.empty()) return;
    const absl::StatusOr<std::string> path = spool_->Keep({options_.coordinator, run, result});
    if (path.ok()) {
      kept_ = *path;
      LogInfo(absl::StrCat("trial ", result.key.trial, " shard ", result.key.shard,
                           ": kept in the spool until a coordinator takes it"));
    } else {
      LogWarning(absl::StrCat("a finished shard cannot be kept: ", path.status().message()));
    }
  }

  // What this worker, or another one of this machine, could not deliver. Not repeated while it fails: it stays there
  // for the next registration.
  void DeliverSpooled() {
    if (spool_ == nullptr) return;
    int delivered = 0, counted = 0;
    for (const Spool::Kept& kept : spool_->List()) {
      const SpooledResult& spooled = kept.result;
      if (spooled.run != registration_.run) {
        if (spooled.coordinator != options_.coordinator) continue;  // it may come back
        LogWarning(
            absl::StrCat(kept.path, ": dropped: the coordinator at ", options_.coordinator, " now serves another run"));
        spool_->Remove(kept.path);
        continue;
      }
      const absl::StatusOr<bool> accepted = client_.Report({registration_.session, spooled.run}, spooled.result);
      if (!accepted.ok() && !absl::IsInvalidArgument(accepted.status())) {
        LogWarning(absl::StrCat("a spooled result waits on: ", accepted.status().message()));
        break;
      }
      if (!accepted.ok()) LogError(absl::StrCat("a spooled result was refused: ", accepted.status().message()));
      spool_->Remove(kept.path);
      ++delivered;
      if (accepted.ok() && *accepted) ++counted;
    }
    if (delivered > 0) LogInfo(absl::StrCat("delivered ", delivered, " spooled results, of which ", counted, " count"));
  }

  // Until the coordinator has acknowledged it, also after the coordinator was restarted and knows this session no more.
  // False where it was given up, because this worker stops.
  template <typename Outcome, typename OnFailure>
  absl::StatusOr<bool> DeliverUntilTaken(const Outcome& outcome, const std::string& run, OnFailure on_failure) {
    for (;;) {
      if (registration_.run != run) {
        LogWarning("the coordinator now serves another run: what was computed for the one before is dropped");
        return true;
      }
      const auto report = [&] {
        absl::StatusOr<bool> accepted = client_.Report({registration_.session, run}, outcome);
        if (!accepted.ok() && !absl::IsInvalidArgument(accepted.status())) on_failure();
        coordinator_away_ = coordinator_away_ && !accepted.ok();
        return accepted;
      };
      const absl::StatusOr<bool> accepted = stop_ ? report() : Retrying("report", report);
      if (accepted.ok()) return true;
      if (stop_) return false;
      if (!absl::IsNotFound(accepted.status())) return accepted.status();
      RETURN_IF_ERROR(Register());
    }
  }

  const SessionOptions& options_;
  CoordinatorClient& client_;
  TrialRunner& runner_;
  const std::atomic<bool>& stop_;
  std::unique_ptr<Spool> spool_;
  std::string kept_;               // the spool's file of what is being delivered, or ""
  bool coordinator_away_ = false;  // the last heartbeat or report failed
  bool device_error_ = false;      // to be told with the next lease call
  Registration registration_;
  std::string prepared_session_;       // the registration that models_ and the runner are ready for
  std::optional<Task> prepared_task_;  // what the runner was given last
  std::vector<ModelIdentity> models_;
  std::map<std::string, std::string> digests_;
};

}  // namespace

absl::Status RunSession(const SessionOptions& options, CoordinatorClient& client, TrialRunner& runner,
                        const std::atomic<bool>& stop) {
  return Session(options, client, runner, stop).Run();
}

}  // namespace heterosis
