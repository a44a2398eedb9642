// SPDX-License-Identifier: Apache-2.0
// Implements scale.h.
#include "tests/scenario/scale.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "tests/scenario/disk.h"
#include "tests/scenario/events.h"
#include "tests/scenario/referee.h"
#include "tests/scenario/simulated_coordinator.h"
#include "tests/scenario/simulated_worker.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr int kSamples = 200;
constexpr double kMergeSeconds = 5, kSampleSeconds = 1, kSpread = 0.3;
constexpr int kCanaryEvery = 200;  // shards; the default
constexpr milliseconds kPatience{30 * 86'400'000LL};

ExperimentSetup LargeSetup(const ScaleOptions& options) {
  ExperimentSetup setup = SmallSetup();
  auto& phase = *setup.config.mutable_phases(0);
  phase.mutable_optimizer()->set_population(options.population);
  phase.mutable_budget()->set_generations(options.generations);
  phase.mutable_samples()->set_per_generation(kSamples);
  setup.config.mutable_evaluation()->set_shard_size(options.shard_size);
  setup.config.mutable_scheduling()->set_lease_seconds(60);
  setup.config.mutable_scheduling()->set_replication(options.audits ? v1::Scheduling::ALWAYS : v1::Scheduling::NEVER);
  setup.config.mutable_scheduling()->set_canary_every(options.audits ? kCanaryEvery : 0);
  setup.search = NumberedProblems("search", kSamples);
  setup.validation = NumberedProblems("validation", kSamples);
  setup.test = NumberedProblems("test", kSamples);
  return setup;
}

// What the fleet does, looked at once a second.
class Watch {
 public:
  using Workers = std::vector<std::unique_ptr<SimulatedWorker>>;

  Watch(Events& events, const SimulatedCoordinator& coordinator, const Workers& workers)
      : events_(events), coordinator_(coordinator), workers_(workers) {
    Look();
  }

  void WriteInto(ScaleFigures& figures, const ScaleOptions& options) const {
    figures.idle = static_cast<double>(idle_) / static_cast<double>(looks_ * options.workers);
    figures.tail_seconds = static_cast<double>(tail_looks_) / options.generations;
    figures.tail_idle_seconds = static_cast<double>(tail_idle_) / (options.workers * options.generations);
  }

 private:
  void Look() {
    events_.After(milliseconds(1'000), [this] {
      if (!coordinator_.listening()) return;
      const auto idle = std::ranges::count_if(workers_, [](const auto& worker) { return !worker->evaluating(); });
      const Progress progress = coordinator_.progress();
      ++looks_;
      idle_ += idle;
      if (progress.stage == StageKind::kGeneration && progress.shards_open <= progress.shards_leased) {
        ++tail_looks_;
        tail_idle_ += idle;
      }
      Look();
    });
  }

  Events& events_;
  const SimulatedCoordinator& coordinator_;
  const Workers& workers_;
  int64_t looks_ = 0, idle_ = 0, tail_looks_ = 0, tail_idle_ = 0;
};

}  // namespace

ScaleFigures MeasureScale(const std::string& path, const ScaleOptions& options) {
  Events events;
  SimulatedDisk disk(1);
  const ExperimentSetup setup = LargeSetup(options);
  Referee referee(events, milliseconds(60'000), options.audits, /*verbose=*/false);
  Network network(events, 1);
  SimulatedCoordinator coordinator(events, network, disk, referee, setup, path, 1);
  coordinator.Start();
  RandomStream random(RandomKey({HashText("scale")}));
  ScaleFigures figures;
  Watch::Workers workers;
  for (int i = 0; i < options.workers; ++i) {
    WorkerOptions worker;
    worker.place = i;
    worker.name = absl::StrCat("worker ", i);
    worker.evaluate = [&](const std::string&, const ShardWork& work) {
      ++figures.results;
      return Evaluate(work);
    };
    worker.duration = [&](const ShardWork& work) {
      const double seconds = kMergeSeconds + kSampleSeconds * static_cast<double>(work.samples.size());
      return milliseconds(static_cast<int64_t>(1000 * seconds * std::exp(kSpread * random.NextNormal())));
    };
    workers.push_back(std::make_unique<SimulatedWorker>(events, network, referee, std::move(worker)));
    events.After(milliseconds(static_cast<int64_t>(random.NextBelow(2'000))),
                 [&workers, i] { workers[static_cast<size_t>(i)]->Start(); });
  }
  const Watch watch(events, coordinator, workers);
  while (!coordinator.ended() && events.now() < kPatience && events.Step()) {
  }
  figures.ended = coordinator.ended() && !referee.violation().has_value();
  if (!figures.ended) return figures;
  watch.WriteInto(figures, options);
  figures.seconds = std::chrono::duration<double>(events.now()).count();
  figures.cpu_us_per_result = 1e6 * coordinator.cpu_seconds() / static_cast<double>(figures.results);
  figures.calls_per_second = static_cast<double>(coordinator.calls()) / figures.seconds;
  const auto trials = QueryDatabase(path, "SELECT count(*) FROM trials");
  if (trials.ok())
    figures.database_bytes_per_trial = static_cast<double>(disk.BytesOf(path)) / std::stod(trials->front());
  return figures;
}

}  // namespace heterosis
