// SPDX-License-Identifier: Apache-2.0
// A fleet of simulated workers, some of them sick, that works on an experiment without a network.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {

// `given`: how many answers the worker has given before this one.
using WorkerEvaluator = std::function<ShardResult(const ShardWork& work, int given)>;

using CanaryEvaluator = std::function<CanaryResult(const CanaryWork& work, int given)>;

struct FleetWorker {
  std::string name;
  std::string device = "cpu";
  WorkerEvaluator evaluate = [](const ShardWork& work, int) { return Evaluate(work); };
  CanaryEvaluator canary = [](const CanaryWork& work, int) { return AnswerCanary(work); };
  int given = 0;  // answers so far
};

// Wrong in a random `share` of its samples, from its answer `from` on: the judgement is turned round, as a wrong token
// would, and the text is another.
WorkerEvaluator SilentlyWrong(double share, uint64_t seed, int from = 0);

// Shards of 32 samples, four generations of six candidates on 64 problems.
ExperimentSetup FleetSetup();

// Lets the workers answer canaries, lease, evaluate and report in an order drawn from `order_seed` until the experiment
// ends or a call fails. Time goes on when nobody has anything to do.
absl::Status RunFleet(SimulatedRun& run, std::vector<FleetWorker>& workers, uint64_t order_seed);

}  // namespace heterosis
