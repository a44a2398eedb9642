// SPDX-License-Identifier: Apache-2.0
// How far the results of each worker are believed without being computed again: BOINC's adaptive replication.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace heterosis {

// What is known of a worker, by its name: it outlives sessions and starts of the coordinator.
struct Standing {
  int agreements = 0;  // answers in a row that agreed with another worker's
  bool quarantined = false;
  std::string reason;  // of the quarantine
  bool operator==(const Standing&) const = default;
};

// Rules (BOINC's): a worker is trusted after 10 agreements in a row. Until then each of its shards is also given to
// another worker, afterwards with probability 1/n for n agreements; an invalid answer resets n. A worker that fails
// once in a while is thus found while its record is short, and the cost for a good one falls like the logarithm of its
// work. Thread-compatible.
class TrustBook {
 public:
  static constexpr int kTrustedAfter = 10;

  void Set(const std::string& name, const Standing& standing) { standings_[name] = standing; }
  Standing Of(const std::string& name) const;
  const std::map<std::string, Standing>& all() const { return standings_; }

  bool IsTrusted(const std::string& name) const { return Of(name).agreements >= kTrustedAfter; }
  // Whether the worker's answer to this shard is to be computed by another worker as well. For a trusted one it is
  // drawn from the counter-based stream of (seed, trial, shard): the same question always has the same answer.
  bool AuditDue(const std::string& name, uint64_t seed, int64_t trial, int shard) const;

 private:
  std::map<std::string, Standing> standings_;
};

}  // namespace heterosis
