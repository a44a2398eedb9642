// SPDX-License-Identifier: Apache-2.0
// Implements scale.h.
#include "tests/scenario/scale.h"

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
constexpr milliseconds kPatience{30 * 86'400'000LL};

ExperimentSetup LargeSetup(const ScaleOptions& options) {
  ExperimentSetup setup = SmallSetup();
  auto& phase = *setup.config.mutable_phases(0);
  phase.mutable_optimizer()->set_population(options.population);
  phase.mutable_budget()->set_generations(options.generations);
  phase.mutable_samples()->set_per_generation(kSamples);
  setup.config.mutable_evaluation()->set_shard_size(options.shard_size);
  setup.config.mutable_scheduling()->set_lease_seconds(60);
  setup.config.mutable_scheduling()->set_replication(v1::Scheduling::NEVER);
  setup.search = NumberedProblems("search", kSamples);
  setup.validation = NumberedProblems("validation", kSamples);
  setup.test = NumberedProblems("test", kSamples);
  return setup;
}

}  // namespace

ScaleFigures MeasureScale(const std::string& path, const ScaleOptions& options) {
  Events events;
  SimulatedDisk disk(1);
  const ExperimentSetup setup = LargeSetup(options);
  Referee referee(events, milliseconds(60'000), /*audits=*/false, /*verbose=*/false);
  Network network(events, 1);
  SimulatedCoordinator coordinator(events, network, disk, referee, setup, path, 1);
  coordinator.Start();
  RandomStream random(RandomKey({HashText("scale")}));
  int64_t results = 0;
  std::vector<std::unique_ptr<SimulatedWorker>> workers;
  for (int i = 0; i < options.workers; ++i) {
    WorkerOptions worker;
    worker.place = i;
    worker.name = absl::StrCat("worker ", i);
    worker.evaluate = [&](const std::string&, const ShardWork& work) {
      ++results;
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
  while (!coordinator.ended() && events.now() < kPatience && events.Step()) {
  }
  ScaleFigures figures;
  figures.ended = coordinator.ended() && !referee.violation().has_value();
  if (!figures.ended) return figures;
  figures.results = results;
  figures.seconds = std::chrono::duration<double>(events.now()).count();
  figures.cpu_us_per_result = 1e6 * coordinator.cpu_seconds() / static_cast<double>(results);
  figures.calls_per_second = static_cast<double>(coordinator.calls()) / figures.seconds;
  const auto trials = QueryDatabase(path, "SELECT count(*) FROM trials");
  if (trials.ok())
    figures.database_bytes_per_trial = static_cast<double>(disk.BytesOf(path)) / std::stod(trials->front());
  double busy = 0;
  for (const auto& worker : workers) busy += std::chrono::duration<double>(worker->busy()).count();
  figures.idle = 1 - busy / (figures.seconds * options.workers);
  return figures;
}

}  // namespace heterosis
