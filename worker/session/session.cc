// SPDX-License-Identifier: Apache-2.0
// Implements session.h. One thread talks to the coordinator; while a shard runs it sends the heartbeats.
#include "worker/session/session.h"

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "common/genome/model_digest.h"

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
      return FailureClass::kInfra;
    case absl::StatusCode::kFailedPrecondition:
      return FailureClass::kInvalid;
    default:
      return FailureClass::kCrash;
  }
}

class Session {
 public:
  Session(const SessionOptions& options, CoordinatorClient& client, TrialRunner& runner, const std::atomic<bool>& stop)
      : options_(options), client_(client), runner_(runner), stop_(stop) {}

  absl::Status Run() {
    RETURN_IF_ERROR(Register());
    milliseconds pause = options_.retry_first;
    while (!stop_) {
      RETURN_IF_ERROR(Prepare());
      const SteadyClock::time_point asked = SteadyClock::now();
      absl::StatusOr<LeaseAnswer> answer =
          Retrying("lease", [&] { return client_.Lease(registration_.session, models_, kLeaseWait); });
      if (absl::IsNotFound(answer.status())) {
        RETURN_IF_ERROR(Register());
        continue;
      }
      if (stop_) break;
      RETURN_IF_ERROR(answer.status());
      if (std::holds_alternative<Finished>(*answer)) {
        LogInfo("the experiment is finished");
        return absl::OkStatus();
      }
      if (auto* work = std::get_if<ShardWork>(&*answer)) {
        RETURN_IF_ERROR(Evaluate(*work));
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
    if (!stop_ && cancelled) return absl::OkStatus();  // another worker has it, or it is done
    LogWarning(absl::StrCat("trial ", work.key.trial, " shard ", work.key.shard, ": ", result.status().message()));
    return Deliver(FailureOf(work.key, ClassOf(result.status()), result.status()), run);
  }

  static ShardFailure FailureOf(const ShardKey& key, FailureClass failure, const absl::Status& why) {
    return {key, failure,
            RepairUtf8(std::string_view(why.message().data(), why.message().size()).substr(0, kMessageBytesMax))};
  }

  // A coordinator that was restarted knows this session no more and has nothing leased: a new registration and one more
  // heartbeat get the shard back before it goes to another. Nothing here is repeated while it fails: the next heartbeat
  // comes soon, and a coordinator that is away cancels nothing.
  bool WasTakenAway(const ShardKey& key, const std::string& run) {
    auto cancelled = client_.Heartbeat({registration_.session, run}, {key});
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
    return Deliver(FailureOf(result.key, FailureClass::kCrash, delivered), run);
  }

  // Until the coordinator has acknowledged it, also after the coordinator was restarted and knows this session no more.
  template <typename Outcome>
  absl::Status Deliver(const Outcome& outcome, const std::string& run) {
    for (;;) {
      if (registration_.run != run) {
        LogWarning("the coordinator now serves another run: what was computed for the one before is dropped");
        return absl::OkStatus();
      }
      const auto report = [&] { return client_.Report({registration_.session, run}, outcome); };
      absl::StatusOr<bool> accepted = stop_ ? report() : Retrying("report", report);
      if (accepted.ok()) return absl::OkStatus();
      if (stop_) return absl::OkStatus();
      if (!absl::IsNotFound(accepted.status())) return accepted.status();
      RETURN_IF_ERROR(Register());
    }
  }

  const SessionOptions& options_;
  CoordinatorClient& client_;
  TrialRunner& runner_;
  const std::atomic<bool>& stop_;
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
