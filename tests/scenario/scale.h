// SPDX-License-Identifier: Apache-2.0
// A large fleet in virtual time: what thousands of workers cost the coordinator, and how long they wait for each other.
#pragma once

#include <cstdint>
#include <string>

namespace heterosis {

struct ScaleOptions {
  int workers = 1'000;
  int shard_size = 25;  // of 200 samples a trial; 200: no splitting
  int population = 128;
  int generations = 2;
  bool audits = false;  // and canaries
};

struct ScaleFigures {
  bool ended = false;
  int64_t results = 0;           // shards computed, copies of stragglers and audits among them
  double seconds = 0;            // virtual, of the whole run
  double cpu_us_per_result = 0;  // real, of all calls and ticks of the coordinator
  double calls_per_second = 0;   // virtual
  double database_bytes_per_trial = 0;
  // Looked at once a second.
  double idle = 0;               // share of the workers' time
  double tail_seconds = 0;       // of a generation: from when its last shard is handed out to its end
  double tail_idle_seconds = 0;  // of these, that a worker does nothing, on average
};

// Evaluations take 5 s for the merge and about 1 s a sample, spread as ordinary machines spread (sigma 0.3 of the
// logarithm). `path`: of the database, see World.
ScaleFigures MeasureScale(const std::string& path, const ScaleOptions& options);

}  // namespace heterosis
