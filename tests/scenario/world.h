// SPDX-License-Identifier: Apache-2.0
// One simulated run from its seed: builds the world, lets its faults happen, and has the referee judge.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "tests/scenario/scenario.h"

namespace heterosis {

struct Outcome {
  std::optional<std::string> violation;
  // For figures, and to see that the same seed gives the same run.
  int64_t disk_operations = 0, calls = 0, handed_out = 0;
  int starts = 0;
  Clock::Duration ended{0};
  bool operator==(const Outcome&) const = default;
};

// Runs scenarios in a folder of its own. What undisturbed runs end with is computed once.
class World {
 public:
  // `path`: of the databases, one after another; only an empty file and a lock are really there.
  explicit World(std::string path) : path_(std::move(path)) {}

  // `verbose`: prints every event.
  Outcome Run(uint64_t seed, bool verbose);

 private:
  absl::StatusOr<std::string> Undisturbed(const Scenario& scenario);

  const std::string path_;
  std::map<std::pair<int, int>, std::string> undisturbed_;  // by setup and poison
};

}  // namespace heterosis
