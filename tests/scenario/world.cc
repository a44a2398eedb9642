// SPDX-License-Identifier: Apache-2.0
// Implements world.h.
#include "tests/scenario/world.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "proto/wire.h"
#include "tests/scenario/disk.h"
#include "tests/scenario/events.h"
#include "tests/scenario/referee.h"
#include "tests/scenario/simulated_coordinator.h"
#include "tests/scenario/simulated_worker.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{3'000'000};  // after the last fault
constexpr size_t kReportsRemembered = 30;
constexpr char kPoisoned[] = "poison";

// What comes to the coordinator, remembered so that it can come again.
class Recorder : public CallHandler {
 public:
  explicit Recorder(SimulatedCoordinator& coordinator) : coordinator_(coordinator) {}
  bool listening() const override { return coordinator_.listening(); }
  void Handle(int from, const Request& request, std::function<bool()> gone, OnReply reply) override {
    if (const auto* report = std::get_if<v1::ReportRequest>(&request)) {
      if (reports_.size() == kReportsRemembered) reports_.pop_front();
      reports_.push_back({from, *report});
    }
    if (const auto* lease = std::get_if<v1::LeaseRequest>(&request)) sessions_[from] = lease->session();
    coordinator_.Handle(from, request, std::move(gone), std::move(reply));
  }

  // One of the reports so far, from the session that its worker has now.
  std::optional<v1::ReportRequest> Again(RandomStream& random) const {
    if (reports_.empty()) return std::nullopt;
    const auto& [from, report] = reports_[random.NextBelow(reports_.size())];
    v1::ReportRequest again = report;
    if (const auto session = sessions_.find(from); session != sessions_.end()) again.set_session(session->second);
    return again;
  }

 private:
  SimulatedCoordinator& coordinator_;
  std::deque<std::pair<int, v1::ReportRequest>> reports_;
  std::map<int, std::string> sessions_;
};

class Run {
 public:
  Run(uint64_t seed, const std::string& path, bool verbose)
      : scenario_(DrawScenario(seed)),
        random_(RandomKey({seed, HashText("world")})),
        setup_(MakeSetup(scenario_.setup, scenario_.audits)),
        path_(path),
        disk_(seed),
        referee_(events_, milliseconds(static_cast<int64_t>(setup_.config.scheduling().lease_seconds() * 1000)),
                 scenario_.audits, verbose),
        network_(events_, seed),
        coordinator_(events_, network_, disk_, referee_, setup_, path, seed),
        recorder_(coordinator_) {
    network_.Connect(&recorder_);
    network_.faults = scenario_.network;
  }

  Outcome ToEnd(const std::string& expected) {
    referee_.Log("%s", Describe(scenario_));
    coordinator_.Start();
    AddWorkers();
    AddFaults();
    events_.After(scenario_.quiet, [this] { Heal(); });
    while (!coordinator_.ended() && !referee_.violation().has_value() && events_.Step()) {
      if (events_.now() > scenario_.quiet + kPatience) referee_.Violation("the run does not end");
    }
    Outcome outcome;
    outcome.disk_operations = disk_.operations();
    outcome.ended = events_.now();
    if (!referee_.violation().has_value()) {
      disk_.faults = {};
      disk_.Restart();
      referee_.CheckEnd(path_, expected);
    }
    outcome.violation = referee_.violation();
    outcome.calls = network_.calls();
    outcome.handed_out = referee_.handed_out();
    outcome.starts = coordinator_.starts();
    return outcome;
  }

 private:
  milliseconds Between(int64_t low, int64_t high) {
    return milliseconds(low + static_cast<int64_t>(random_.NextBelow(static_cast<uint64_t>(high - low))));
  }

  void AddWorkers() {
    const int count = scenario_.workers + (scenario_.stranger ? 1 : 0);
    for (int i = 0; i < count; ++i) {
      WorkerOptions options;
      options.place = i;
      options.name = absl::StrCat("worker ", i);
      options.other_files = i == scenario_.workers;
      options.evaluate = [this](const std::string& worker, const ShardWork& work) { return EvaluateOn(worker, work); };
      options.duration = [this](const ShardWork& work) {
        const double factor = 0.5 + random_.NextUniform();
        return milliseconds(static_cast<int64_t>(factor * static_cast<double>(scenario_.per_sample.count()) *
                                                 static_cast<double>(work.samples.size())));
      };
      options.restart = Between(500, 20'000);
      if (scenario_.local) options.on_death = [this](const std::string& name) { coordinator_.WorkerLost(name); };
      workers_.push_back(std::make_unique<SimulatedWorker>(events_, network_, referee_, std::move(options)));
      workers_.back()->Start();
    }
  }

  // The same recipe has the same outcome everywhere. Failures that pass are kept below the number that fails a trial.
  ShardOutcome EvaluateOn(const std::string& worker, const ShardWork& work) {
    if (scenario_.poison.has_value() && IsPoisonous(work)) return ShardFailure{work.key, *scenario_.poison, kPoisoned};
    if (scenario_.failures == 0 || quiet_ || random_.NextUniform() >= scenario_.failures) return Evaluate(work);
    referee_.Log("%s: fails on trial %d shard %d", worker, work.key.trial, work.key.shard);
    if (random_.NextBelow(4) == 0) return Dies{};
    if (random_.NextBelow(4) == 0) return ShardFailure{work.key, FailureClass::kInvalid, "mine"};
    // Two workers that see a failure of one class make it the trial's fault: each class passes once at most.
    const FailureClass failure = random_.NextBelow(2) == 0 ? FailureClass::kNumeric : FailureClass::kCrash;
    if (!failed_.insert({work.key.trial, failure}).second) return Evaluate(work);
    return ShardFailure{work.key, failure, "passing"};
  }

  // Lets `fault` happen again and again, with exponential pauses.
  void Repeat(const Every& mean, std::function<void()> fault) {
    if (!mean.has_value()) return;
    const double pause = -std::log(1 - random_.NextUniform()) * static_cast<double>(mean->count());
    events_.After(milliseconds(static_cast<int64_t>(pause)), [this, mean, fault = std::move(fault)]() mutable {
      if (quiet_) return;
      fault();
      Repeat(mean, std::move(fault));
    });
  }

  SimulatedWorker& AnyWorker() { return *workers_[random_.NextBelow(workers_.size())]; }

  void AddFaults() {
    const auto kill = [this](Crash crash) {
      const int64_t operations = random_.NextBelow(3) == 0 ? 0 : 1 + static_cast<int64_t>(random_.NextBelow(60));
      coordinator_.Kill(crash, operations, random_.NextBelow(2) == 0 ? Between(100, 3'000) : Between(100, 30'000));
    };
    Repeat(scenario_.kills, [kill] { kill(Crash::kKilled); });
    Repeat(scenario_.power_losses, [kill] { kill(Crash::kPowerLost); });
    Repeat(scenario_.restarts, [this] { coordinator_.Restart(Between(100, 10'000)); });
    Repeat(scenario_.deaths, [this] { AnyWorker().Die(); });
    Repeat(scenario_.freezes, [this] { AnyWorker().Freeze(Between(500, 60'000)); });
    Repeat(scenario_.partitions, [this] { Partition(); });
    Repeat(scenario_.disk_full, [this] { DisturbDisk({.full = true}); });
    Repeat(scenario_.disk_errors, [this] {
      const double rate = std::pow(10.0, -2 * random_.NextUniform());
      DisturbDisk({.write_error = random_.NextBelow(2) == 0 ? rate : 0,
                   .sync_error = random_.NextBelow(2) == 0 ? rate : 0,
                   .read_error = random_.NextBelow(4) == 0 ? rate : 0});
    });
    Repeat(scenario_.replays, [this] {
      if (const auto report = recorder_.Again(random_)) HandIn(*report, "an old report comes again");
    });
    Repeat(scenario_.foreign_reports, [this] { HandInOfAnotherRun(); });
  }

  void Partition() {
    const int worker = static_cast<int>(random_.NextBelow(workers_.size()));
    const uint64_t kind = random_.NextBelow(3);
    referee_.Log("the line of worker %d is cut", worker);
    network_.Cut(worker, kind != 0, kind != 1);
    events_.After(Between(1'000, 60'000), [this, worker] { network_.Cut(worker, false, false); });
  }

  void DisturbDisk(const DiskFaults& faults) {
    referee_.Log("the disk is disturbed: %s", faults.full ? "full" : "errors");
    disk_.faults = faults;
    events_.After(Between(500, 30'000), [this] { disk_.faults = {}; });
  }

  void HandIn(const v1::ReportRequest& report, std::string_view why) {
    if (!coordinator_.listening()) return;
    referee_.Log("%s", std::string(why));
    coordinator_.Handle(
        0, report, [] { return false; }, [](const Reply&) {});
  }

  // Trials have the same numbers in every database; a result of another one, all wrong, must not count in this.
  void HandInOfAnotherRun() {
    std::optional<v1::ReportRequest> report = recorder_.Again(random_);
    if (!report.has_value()) return;
    report->set_run("another run");
    report->mutable_result()->mutable_key()->set_trial(report->result().key().trial() + 1);
    for (auto& sample : *report->mutable_result()->mutable_samples()) sample.set_correct(!sample.correct());
    HandIn(*report, "a report of another run");
  }

  void Heal() {
    referee_.Log("no faults from now on");
    quiet_ = true;
    network_.HealAll();
    network_.faults = {};
    disk_.faults = {};
  }

  const Scenario scenario_;
  RandomStream random_;
  const ExperimentSetup setup_;
  const std::string path_;
  Events events_;
  SimulatedDisk disk_;
  Referee referee_;
  Network network_;
  SimulatedCoordinator coordinator_;
  Recorder recorder_;
  std::vector<std::unique_ptr<SimulatedWorker>> workers_;
  std::set<std::pair<int64_t, FailureClass>> failed_;  // trials that failed for no lasting reason, and how
  bool quiet_ = false;
};

}  // namespace

// One shard after another, by three workers that are always there.
absl::StatusOr<std::string> World::Undisturbed(const Scenario& scenario) {
  const auto key =
      std::make_pair(scenario.setup, scenario.poison.has_value() ? static_cast<int>(*scenario.poison) : -1);
  if (const auto known = undisturbed_.find(key); known != undisturbed_.end()) return known->second;
  SimulatedDisk disk(0);
  Events clock;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open({.path = path_}));
    ASSIGN_OR_RETURN(const std::unique_ptr<Experiment> experiment,
                     Experiment::Open(MakeSetup(scenario.setup, /*audits=*/false), *store, clock));
    for (const char* worker : {"a", "b", "c"}) RETURN_IF_ERROR(experiment->RegisterWorker({worker, worker, "cpu"}));
    for (int step = 0; !experiment->finished(); ++step) {
      if (step > 100'000) return absl::DeadlineExceededError("the undisturbed run does not end");
      const std::string worker(1, static_cast<char>('a' + step % 3));
      ASSIGN_OR_RETURN(const std::optional<ShardWork> work, experiment->Lease(worker));
      if (!work.has_value()) continue;
      if (scenario.poison.has_value() && IsPoisonous(*work)) {
        RETURN_IF_ERROR(experiment->ReportFailure(worker, {work->key, *scenario.poison, kPoisoned}).status());
      } else {
        RETURN_IF_ERROR(experiment->Report(worker, Evaluate(*work)).status());
      }
    }
    if (experiment->state() != ExperimentState::kDone) return absl::AbortedError(experiment->error());
  }
  ASSIGN_OR_RETURN(undisturbed_[key], DatabaseContents(path_));
  return undisturbed_[key];
}

Outcome World::Run(uint64_t seed, bool verbose) {
  const absl::StatusOr<std::string> expected = Undisturbed(DrawScenario(seed));
  if (!expected.ok()) return {.violation = absl::StrCat("the undisturbed run fails: ", Message(expected.status()))};
  return heterosis::Run(seed, path_, verbose).ToEnd(*expected);
}

}  // namespace heterosis
