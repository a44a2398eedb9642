// SPDX-License-Identifier: Apache-2.0
// When a shard takes so much longer than its like that an idle worker should get a copy of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "common/base/clock.h"

namespace heterosis {

// The median of the durations so far. Kept sorted: a stage has some thousands of shards at most.
class DurationMedian {
 public:
  void Add(Clock::Duration duration) {
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), duration), duration);
  }
  void Clear() { sorted_.clear(); }
  std::optional<Clock::Duration> Median() const {
    if (sorted_.empty()) return std::nullopt;
    return sorted_[(sorted_.size() - 1) / 2];
  }

 private:
  std::vector<Clock::Duration> sorted_;
};

// A copy is worth it only when the shard has clearly taken longer than the others of its stage: below 1.5 medians most
// shards end by themselves before a copy would, and below a second there is nothing to gain. Without a finished shard
// nothing is known of what is long; a worker that is gone altogether loses its lease.
inline bool IsStraggler(Clock::Duration age, const DurationMedian& durations) {
  constexpr Clock::Duration kAtLeast{1'000};
  const std::optional<Clock::Duration> median = durations.Median();
  return median.has_value() && age > kAtLeast && 2 * age > 3 * *median;
}

}  // namespace heterosis
