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
};

struct ScaleFigures {
  bool ended = false;
  int64_t results = 0;           // shards
  double seconds = 0;            // virtual, of the whole run
  double cpu_us_per_result = 0;  // real, of all calls and ticks of the coordinator
  double calls_per_second = 0;   // virtual
  double database_bytes_per_trial = 0;
  double idle = 0;  // share of the workers' time
};

// Evaluations take 5 s for the merge and about 1 s a sample, spread as ordinary machines spread (sigma 0.3 of the
// logarithm). `path`: of the database, see World.
ScaleFigures MeasureScale(const std::string& path, const ScaleOptions& options);

}  // namespace heterosis
