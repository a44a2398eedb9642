// SPDX-License-Identifier: Apache-2.0
// How far an experiment has come, for the bar on the terminal, the log and the metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coordinator/store/records.h"

namespace heterosis {

struct Progress {
  ExperimentState state = ExperimentState::kRunning;
  std::string error;  // why it failed
  StageKind stage = StageKind::kParents;
  std::string phase;   // empty while the parents are scored and at the end
  int generation = 0;  // from 0, of `generations` in this phase
  int generations = 0;
  int trials_done = 0, trials_total = 0;  // of this stage; failed ones count as done
  int shards_open = 0, shards_leased = 0;
  int64_t samples_done = 0, samples_total = 0;  // of the whole run; the total is an upper estimate
  // Fitness: the best of the phase so far, and the mean of the last finished generation.
  std::optional<double> best, mean;
  double samples_per_second = 0;  // since this start of the coordinator
  std::optional<double> eta_seconds;
  int workers = 0;  // heard of within the last lease time
  int epoch = 1;    // starts of the coordinator, this one included
};

}  // namespace heterosis
