// SPDX-License-Identifier: Apache-2.0
// What one simulated run is: the experiment, its workers, and which faults come how often. All of it is drawn from a
// seed, so that a run can be told by a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/trial/trial.h"
#include "coordinator/experiment/setup.h"
#include "tests/scenario/network.h"

namespace heterosis {

// Mean pauses between faults of a kind; none: it does not happen in this run.
using Every = std::optional<Clock::Duration>;

struct Scenario {
  int setup = 0;                       // index, see MakeSetup
  std::optional<FailureClass> poison;  // some recipes always fail so
  int workers = 1;
  bool audits = false;                // results are computed twice, and workers answer canaries
  bool stranger = false;              // one more worker, with other model files
  bool local = false;                 // the coordinator's host sees worker processes end
  Clock::Duration per_sample{1'000};  // of an evaluation, on average
  NetworkFaults network;
  Every kills, power_losses, restarts;  // of the coordinator
  Every deaths, freezes, partitions;    // of workers and their lines
  Every disk_full, disk_errors;
  Every replays, foreign_reports;  // old reports come again; reports of another run
  double failures = 0;             // chance that an evaluation fails for no lasting reason
  Clock::Duration quiet{300'000};  // no faults from then on: the run has to end
};

Scenario DrawScenario(uint64_t seed);
std::string Describe(const Scenario& scenario);

// The experiments: parameter space, data-flow space and both; each optimizer; with and without validation.
int SetupCount();
ExperimentSetup MakeSetup(int index, bool audits);

// Whether a recipe is one of those that always fail: on the search split only, and never an unmerged model, so that the
// run can end. About one in six.
bool IsPoisonous(const ShardWork& work);

}  // namespace heterosis
