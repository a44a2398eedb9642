// SPDX-License-Identifier: Apache-2.0
// Many workers in one process, for the load test: each has the real session, a connection and a thread of its own, and
// answers by arithmetic at once. At SIGTERM all stop; then one JSON document on standard output tells how many reports
// were accepted and how long the calls took.
// Usage: load_clients --coordinator HOST:PORT --clients N --model NAME=FOLDER ...
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tests/support/arithmetic_runner.h"
#include "tests/support/stop_signal.h"
#include "worker/session/coordinator_client.h"
#include "worker/session/session.h"

namespace heterosis {
namespace {

using SteadyClock = std::chrono::steady_clock;

// What all clients have seen together.
class Tally {
 public:
  void Add(const std::string& call, SteadyClock::duration took, const absl::Status& status) {
    MutexLock lock(mutex_);
    seconds_[call].push_back(std::chrono::duration<double>(took).count());
    if (!status.ok()) ++errors_[absl::StrCat(call, ": ", absl::StatusCodeToString(status.code()))];
  }
  void CountReport(bool accepted) {
    MutexLock lock(mutex_);
    ++(accepted ? accepted_ : refused_);
  }

  Json ToJson() {
    MutexLock lock(mutex_);
    Json calls = Json::object();
    for (auto& [name, seconds] : seconds_) {
      std::sort(seconds.begin(), seconds.end());
      const auto percentile = [&values = seconds](double p) {
        return values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))];
      };
      calls[name] = {{"calls", seconds.size()},
                     {"p50", percentile(0.5)},
                     {"p95", percentile(0.95)},
                     {"p99", percentile(0.99)},
                     {"max", seconds.back()}};
    }
    return {{"accepted", accepted_}, {"refused", refused_}, {"errors", errors_}, {"calls", calls}};
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::vector<double>> seconds_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> errors_ ABSL_GUARDED_BY(mutex_);
  int64_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A client whose calls are timed.
class TimedClient : public CoordinatorClient {
 public:
  TimedClient(CoordinatorClient& client, Tally& tally) : client_(client), tally_(tally) {}

  absl::StatusOr<Registration> Register(const std::string& worker, const std::string& device) override {
    return Timed("register", [&] { return client_.Register(worker, device); });
  }
  absl::StatusOr<LeaseAnswer> Lease(const std::string& session, const std::vector<ModelIdentity>& models,
                                    std::chrono::milliseconds wait, bool device_error) override {
    const SteadyClock::time_point start = SteadyClock::now();
    absl::StatusOr<LeaseAnswer> answer = client_.Lease(session, models, wait, device_error);
    // One that waits for work tells nothing of the coordinator's speed.
    const bool waited = answer.ok() && std::holds_alternative<AskAgain>(*answer);
    tally_.Add(waited ? "lease without work" : "lease", SteadyClock::now() - start, answer.status());
    return answer;
  }
  absl::StatusOr<std::vector<ShardKey>> Heartbeat(const LeaseHolder& holder,
                                                  const std::vector<ShardKey>& holding) override {
    return Timed("heartbeat", [&] { return client_.Heartbeat(holder, holding); });
  }
  absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardResult& result) override {
    absl::StatusOr<bool> accepted = Timed("report", [&] { return client_.Report(holder, result); });
    if (accepted.ok()) tally_.CountReport(*accepted);
    return accepted;
  }
  absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardFailure& failure) override {
    return Timed("report of a failure", [&] { return client_.Report(holder, failure); });
  }
  absl::StatusOr<bool> Report(const LeaseHolder& holder, const CanaryResult& canary) override {
    return Timed("report of a canary", [&] { return client_.Report(holder, canary); });
  }

 private:
  template <typename Call>
  auto Timed(const std::string& name, Call call) -> decltype(call()) {
    const SteadyClock::time_point start = SteadyClock::now();
    auto result = call();
    tally_.Add(name, SteadyClock::now() - start, result.status());
    return result;
  }

  CoordinatorClient& client_;
  Tally& tally_;
};

struct LoadOptions {
  std::string coordinator;
  int clients = 1;
  ModelFolders models;
};

LoadOptions Parse(const std::vector<std::string>& words) {
  LoadOptions options;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (words[i] == "--coordinator") options.coordinator = value;
    if (words[i] == "--clients") options.clients = std::stoi(value);
    if (words[i] == "--model") options.models[value.substr(0, value.find('='))] = value.substr(value.find('=') + 1);
  }
  return options;
}

absl::Status RunClient(const LoadOptions& load, int index, const std::atomic<bool>& stop, Tally& tally) {
  SessionOptions session;
  session.worker_name = absl::StrCat("load-", index);
  session.device = "cpu";
  session.models = load.models;
  ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorClient> client, MakeCoordinatorClient(load.coordinator));
  TimedClient timed(*client, tally);
  ArithmeticRunner runner;
  return RunSession(session, timed, runner, stop);
}

int Main(const std::vector<std::string>& words) {
  InitLogging("load_clients", LogFormat::kText, false);
  const std::atomic<bool>& stop = StopAtSigterm();
  const LoadOptions options = Parse(words);
  Tally tally;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < options.clients; ++i) {
    threads.emplace_back([&, i] {
      const absl::Status status = RunClient(options, i, stop, tally);
      if (status.ok()) return;
      LogError(absl::StrCat("client ", i, ": ", status.message()));
      ++failed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%s\n", JsonText(tally.ToJson()).c_str());
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main({argv + 1, argv + argc});
}
