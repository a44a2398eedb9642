// SPDX-License-Identifier: Apache-2.0
// Watches a simulated run from outside and says what must never happen: DESIGN.md section 8, and docs/reliability.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/trial/trial.h"
#include "coordinator/experiment/progress.h"
#include "tests/scenario/events.h"

namespace heterosis {

// The first violation counts: what follows from it is noise.
class Referee {
 public:
  // `audits`: shards that have a result are handed out again, for an answer to compare.
  Referee(const Events& events, Clock::Duration lease, bool audits, bool verbose)
      : events_(events), lease_(lease), audits_(audits), verbose_(verbose) {}

  template <typename... Args>
  void Log(const absl::FormatSpec<Args...>& format, const Args&... args) {
    if (verbose_) Print(absl::StrFormat(format, args...));
  }
  template <typename... Args>
  void Violation(const absl::FormatSpec<Args...>& format, const Args&... args) {
    Violated(absl::StrFormat(format, args...));
  }
  const std::optional<std::string>& violation() const { return violation_; }

  // The service has heard of a session.
  void Heard(const std::string& session) { heard_[session] = events_.now(); }
  // The service has handed out a shard, in the stage of `progress`.
  void HandedOut(const std::string& session, const ShardWork& work, const Progress& progress);
  // The service has said that a report counts; the answer may still be lost.
  void Counted(const ShardKey& key, bool result);
  // A worker has heard that its result counts.
  void Acknowledged(const ShardKey& key) { acknowledged_.insert({key.trial, key.shard}); }
  // A coordinator has started on the database at `path`, or has ended: all that was promised must be in it.
  void CheckPromises(const std::string& path);
  // The coordinator's clock has ticked: no lease is older than a worker's silence allows.
  void CheckLeases(const Progress& progress, Clock::Duration slack);
  // A coordinator has gone: its sessions are no more.
  void Forget() { heard_.clear(); }
  // The run has ended. `expected`: the contents of an undisturbed run without audits.
  void CheckEnd(const std::string& path, const std::string& expected);

  int64_t handed_out() const { return static_cast<int64_t>(attempts_.size()); }

 private:
  using Shard = std::pair<int64_t, int>;

  void Print(const std::string& line) const;
  void Violated(const std::string& what);

  const Events& events_;
  const Clock::Duration lease_;
  const bool audits_;
  const bool verbose_;
  std::optional<std::string> violation_;
  std::map<std::string, Clock::Duration> heard_;
  std::map<std::tuple<int64_t, int, int>, std::string> attempts_;  // -> session
  std::map<int64_t, std::string> recipes_;                         // trial -> what was handed out for it
  std::map<Shard, int> counted_;
  std::set<Shard> acknowledged_;
  bool test_opened_ = false;
};

}  // namespace heterosis
