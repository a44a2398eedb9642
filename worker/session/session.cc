// SPDX-License-Identifier: Apache-2.0
// Implements session.h. One thread talks to the coordinator; while a shard runs it sends the heartbeats.
#include "worker/session/session.h"

#include <algorithm>
#include <future>
#include <map>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/genome/model_digest.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kLeaseWait{10'000};
constexpr milliseconds kStopPoll{100};

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
    while (!stop_) {
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
      if (auto* work = std::get_if<ShardWork>(&*answer)) RETURN_IF_ERROR(Evaluate(*work));
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
    const bool same_task = !registration_.session.empty() && registration_.task == registration->task;
    registration_ = *std::move(registration);
    LogInfo(absl::StrCat("registered for experiment \"", registration_.experiment, "\" as ", registration_.session));
    RETURN_IF_ERROR(IdentifyModels());
    return same_task ? absl::OkStatus() : runner_.Prepare(registration_.task);
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
    std::atomic<bool> cancelled = false;
    auto running = std::async(std::launch::async, [&] { return runner_.Run(work, cancelled); });
    auto next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
    while (running.wait_for(kStopPoll) != std::future_status::ready) {
      if (stop_) cancelled = true;
      if (!cancelled && SteadyClock::now() >= next_heartbeat) {
        if (WasTakenAway(work.key)) cancelled = true;
        next_heartbeat = SteadyClock::now() + registration_.heartbeat_interval;
      }
    }
    absl::StatusOr<ShardResult> result = running.get();
    if (result.ok()) return Deliver(*result);
    if (!stop_ && cancelled) return absl::OkStatus();  // another worker has it, or it is done
    LogWarning(absl::StrCat("trial ", work.key.trial, " shard ", work.key.shard, ": ", result.status().message()));
    return Deliver(ShardFailure{work.key, ClassOf(result.status()), std::string(result.status().message())});
  }

  bool WasTakenAway(const ShardKey& key) {
    // A heartbeat that fails is not repeated: the next one comes soon, and a coordinator that is away cancels nothing.
    const auto cancelled = client_.Heartbeat(registration_.session, {key});
    return cancelled.ok() && std::find(cancelled->begin(), cancelled->end(), key) != cancelled->end();
  }

  // Until the coordinator has acknowledged it, also after the coordinator was restarted and knows this session no more.
  template <typename Outcome>
  absl::Status Deliver(const Outcome& outcome) {
    for (;;) {
      absl::StatusOr<bool> accepted =
          stop_ ? client_.Report(registration_.session, outcome)
                : Retrying("report", [&] { return client_.Report(registration_.session, outcome); });
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
  std::vector<ModelIdentity> models_;
  std::map<std::string, std::string> digests_;
};

}  // namespace

absl::Status RunSession(const SessionOptions& options, CoordinatorClient& client, TrialRunner& runner,
                        const std::atomic<bool>& stop) {
  return Session(options, client, runner, stop).Run();
}

}  // namespace heterosis
