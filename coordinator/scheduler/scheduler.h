// SPDX-License-Identifier: Apache-2.0
// Who works on which shard: hands out the shards of the open trials, takes them back from workers that fall silent, and
// decides which reports count. Leases live in memory only: after a restart nothing is leased.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/trial/trial.h"

namespace heterosis {

struct SchedulerOptions {
  Clock::Duration lease{60'000};  // a worker silent this long has lost its shard
  int attempts_max = 3;           // failures (crashes, NaN, no memory) of one trial before its end
  // How often this experiment's coordinator has been started, from 1. Attempts count from epoch * kAttemptsPerEpoch, so
  // that an attempt's number is never given twice and one from before a restart is recognised.
  int epoch = 1;
};

// The workers that a trial failed on, by how.
using WorkersByClass = std::map<FailureClass, std::set<std::string>>;

// A trial to hand out: the shards that have no result yet, and what earlier starts of the coordinator saw of it.
struct OpenTrial {
  int64_t trial = 0;
  std::vector<int> shards;
  int failures = 0;        // crash, numeric and memory failures so far
  WorkersByClass workers;  // who saw its numeric and memory failures
};

// What becomes of a reported result.
enum class Verdict {
  kAccepted,   // the shard is open and the attempt was handed out
  kDuplicate,  // the shard (or its trial) is settled already
  kStale,      // the attempt was never handed out
};

// What becomes of a reported failure.
enum class FailureVerdict {
  kIgnored,      // the shard is not leased under that attempt (any more)
  kRequeued,     // handed out again
  kTrialFailed,  // the trial has used up its attempts, or a second worker confirms it: it ends (EndAfter)
};

// Thread-compatible; time is an argument (Clock::Monotonic). Names of workers are their sessions.
//
// Rules: shards go out in the order of (trial, shard). A worker holds one shard at a time; asking again gives it the
// same attempt again, because it has lost our answer. A result counts once, whoever computed it: also a late one of an
// attempt whose lease has expired, or that was handed out before a restart of the coordinator, as long as the shard is
// open (results are deterministic; nothing is gained by computing it again). A failure counts only for the attempt that
// holds the lease. A trial's shards are not given back to a worker that failed on it while another worker is there.
class Scheduler {
 public:
  static constexpr int kAttemptsPerEpoch = 1000;  // more than kInfraMax and attempts_max allow
  // Lost leases and the like (kInfra, kInvalid) of one trial, after which it fails: no limit that an ordinary run
  // meets, but a recipe that takes the whole worker down must not do so for ever.
  static constexpr int kInfraMax = 100;

  explicit Scheduler(const SchedulerOptions& options) : options_(options) {}

  // `trial.trial` must be new and have at least one shard.
  void AddTrial(const OpenTrial& trial);

  // The next shard for `worker`, or the one that it holds; nullopt when there is none for it now.
  std::optional<ShardKey> Lease(const std::string& worker, Clock::Duration now);

  // Prolongs the leases of `holding`; a shard that is open and unleased is leased to `worker` again under the attempt
  // given (its lease had expired, or the coordinator has restarted and `worker` has registered anew). Returns those
  // that are no longer the worker's: it should drop them.
  std::vector<ShardKey> Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding, Clock::Duration now);

  // A lease whose worker has been silent for too long.
  struct Lost {
    ShardKey key;
    std::string worker;
    bool operator==(const Lost&) const = default;
  };
  // The leases whose deadline has passed. Changes nothing: the caller records each as a kInfra failure and calls Fail.
  std::vector<Lost> Overdue(Clock::Duration now) const;
  // Drops the workers that hold nothing and have been silent for a lease time from workers().
  void ForgetSilentWorkers(Clock::Duration now);
  // What the worker holds: to be failed as kInfra when it leaves. ForgetWorker drops it from workers() at once.
  std::optional<ShardKey> HeldBy(const std::string& worker) const;
  void ForgetWorker(const std::string& worker) { last_seen_.erase(worker); }

  // Whether a result for `key` would count. Changes nothing, so that the caller can store the result first.
  Verdict Judge(const ShardKey& key) const;
  // Whether the shard of `key` is the last open one of its trial.
  bool CompletesTrial(const ShardKey& key) const;
  // Settles the shard of a key that Judge accepts. A trial without an open shard is forgotten.
  void Complete(const ShardKey& key);

  // Whether and how a failure would count; Fail makes it so. A failed trial is forgotten with all its shards.
  FailureVerdict JudgeFailure(const ShardKey& key, FailureClass failure) const;
  FailureVerdict Fail(const ShardKey& key, FailureClass failure);

  // Who holds the lease of `key`, or "" when nobody does under that attempt.
  std::string HolderOf(const ShardKey& key) const;
  // Reported kInvalid: it gets no more work.
  bool IsBarred(const std::string& worker) const { return barred_.contains(worker); }

  int open_shards() const;  // without a result, leased or not
  int leased_shards() const { return static_cast<int>(leases_.size()); }
  int workers() const { return static_cast<int>(last_seen_.size()); }  // heard of within the last lease time

 private:
  using ShardId = std::pair<int64_t, int>;  // trial, shard
  struct LeaseState {
    std::string worker;
    int attempt = 0;
    Clock::Duration deadline{0};
  };
  struct TrialState {
    std::map<int, int> open;  // shard -> number of attempts handed out in this epoch
    int failures = 0;
    int infra = 0;
    WorkersByClass workers;
    std::set<std::string> failed_workers;
  };

  bool WasHandedOut(const ShardKey& key) const;
  bool MayWorkOn(const std::string& worker, const TrialState& trial) const;
  bool OthersSaw(const TrialState& trial, FailureClass failure, const std::string& worker) const;
  void Release(const ShardId& shard);
  void Forget(int64_t trial);

  const SchedulerOptions options_;
  std::map<int64_t, TrialState> trials_;
  std::map<ShardId, LeaseState> leases_;
  std::map<std::string, ShardId> held_;  // worker -> its lease
  std::map<std::string, Clock::Duration> last_seen_;
  std::set<std::string> barred_;
};

}  // namespace heterosis
