// SPDX-License-Identifier: Apache-2.0
// Implements fleet.h.
#include "tests/unit/coordinator/experiment/fleet.h"

#include <algorithm>
#include <chrono>

#include "common/base/random.h"
#include "common/base/status.h"

namespace heterosis {

WorkerEvaluator SilentlyWrong(double share, uint64_t seed, int from) {
  return [=](const ShardWork& work, int given) {
    ShardResult result = Evaluate(work);
    if (given < from) return result;
    for (SampleResult& sample : result.samples) {
      RandomStream dice(RandomKey({seed, static_cast<uint64_t>(given), static_cast<uint64_t>(sample.sample)}));
      if (dice.NextUniform() >= share) continue;
      sample.correct = !sample.correct;
      sample.number_ok = sample.correct;
      sample.text += " hm";
    }
    return result;
  };
}

ExperimentSetup FleetSetup() {
  ExperimentSetup setup = SmallSetup();
  const auto enlarge = [](std::vector<Problem>& problems, size_t count) {
    const std::string first = problems[0].question;
    for (size_t i = problems.size(); i < count; ++i)
      problems.push_back({absl::StrCat(first, " ", i), std::to_string(i)});
  };
  enlarge(setup.search, 96);
  enlarge(setup.validation, 64);
  enlarge(setup.test, 64);
  setup.config.mutable_evaluation()->set_shard_size(32);
  setup.config.mutable_phases(0)->mutable_samples()->set_per_generation(64);
  setup.config.mutable_phases(0)->mutable_budget()->set_generations(4);
  return setup;
}

absl::Status RunFleet(SimulatedRun& run, std::vector<FleetWorker>& workers, uint64_t order_seed) {
  std::vector<std::string> sessions;
  for (const FleetWorker& worker : workers) {
    sessions.push_back(absl::StrCat(run.clock.Monotonic().count(), "-", worker.name));
    RETURN_IF_ERROR(run.experiment().RegisterWorker({sessions.back(), worker.name, worker.device}));
  }
  std::vector<std::optional<ShardWork>> held(workers.size());
  RandomStream order(RandomKey({HashText("order"), order_seed}));
  for (int step = 0; !run.experiment().finished(); ++step) {
    if (step > 50'000) return absl::DeadlineExceededError("the experiment does not come to its end");
    const size_t i = order.NextBelow(workers.size());
    if (held[i].has_value()) {
      RETURN_IF_ERROR(run.experiment().Report(sessions[i], workers[i].evaluate(*held[i], workers[i].given)).status());
      ++workers[i].given;
      held[i].reset();
      continue;
    }
    if (const auto canary = run.experiment().CanaryFor(sessions[i]); canary.has_value()) {
      const CanaryResult answer = workers[i].canary(*canary, workers[i].given);
      RETURN_IF_ERROR(run.experiment().ReportCanary(sessions[i], answer).status());
      continue;
    }
    ASSIGN_OR_RETURN(held[i], run.experiment().Lease(sessions[i]));
    if (std::any_of(held.begin(), held.end(), [](const auto& work) { return work.has_value(); })) continue;
    run.clock.Advance(std::chrono::milliseconds(100));
    RETURN_IF_ERROR(run.experiment().Tick());
  }
  return absl::OkStatus();
}

}  // namespace heterosis
