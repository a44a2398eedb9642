// SPDX-License-Identifier: Apache-2.0
// Who works on which shard: hands out the shards of the open trials, takes them back from workers that fall silent,
// gives stragglers' shards and audits to idle workers, and decides which reports count. Leases live in memory only:
// after a restart nothing is leased.
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
#include "coordinator/scheduler/stragglers.h"

namespace heterosis {

struct SchedulerOptions {
  Clock::Duration lease{60'000};  // a worker silent this long has lost its shard
  int attempts_max = 3;           // failures (crashes, NaN, no memory) of one trial before its end
  // How often this experiment's coordinator has been started (or the run rewound), from 1. Attempts count from epoch *
  // kAttemptsPerEpoch, so that an attempt's number is never given twice and one from before a restart is recognised.
  int epoch = 1;
  // The first epoch whose attempts still count: a rewind gives the numbers of removed trials to new ones.
  int oldest_epoch = 1;
};

// The workers that a trial failed on, by how.
using WorkersByClass = std::map<FailureClass, std::set<std::string>>;

// A trial to hand out: the shards that have no result yet, and what earlier starts of the coordinator saw of it.
struct OpenTrial {
  int64_t trial = 0;
  std::vector<int> shards;
  int failures = 0;        // crash, numeric and memory failures so far
  WorkersByClass workers;  // the names of who saw them
};

// Who a session is. Workers of one device class give the same answers text for text (agreement.h).
struct WorkerIdentity {
  std::string name;
  std::string device_class;
  bool operator==(const WorkerIdentity&) const = default;
};

// What becomes of a reported result.
enum class Verdict {
  kAccepted,   // the shard is open and the attempt was handed out
  kAudit,      // the shard has a result and is to be computed again: an answer to compare, where WantsAnswerOf says so
  kDuplicate,  // the shard (or its trial) is settled already
  kStale,      // the attempt was never handed out
};

// What becomes of a reported failure.
enum class FailureVerdict {
  kIgnored,      // the shard is not leased under that attempt (any more)
  kRequeued,     // handed out again
  kTrialFailed,  // the trial has used up its attempts, or a second worker confirms it: it ends (EndAfter)
};

// Thread-compatible; time is an argument (Clock::Monotonic). `worker` is a session; Introduce says whose. Rules about
// who failed and who answered go by name, because a worker that has died comes back under a new session.
//
// Rules: shards go out in the order of (trial, shard). A worker holds one shard at a time; asking again gives it the
// same attempt again, because it has lost our answer. A result counts once, whoever computed it: also a late one of an
// attempt whose lease has expired, or that was handed out before a restart of the coordinator, as long as the shard is
// open (results are deterministic; nothing is gained by computing it again). A failure counts only for the attempt that
// holds the lease. A trial's shards are not given back to a worker that failed on it while another worker is there.
//
// When no shard waits, audits go out, and then copies of stragglers (stragglers.h): at most one copy of a shard, never
// to the worker that has it; the first answer counts.
class Scheduler {
 public:
  static constexpr int kAttemptsPerEpoch = 1000;  // more than kInfraMax and attempts_max allow, with copies and audits
  static constexpr int kFirstAudit = 700;         // of those, the first one of the audit of a shard that was settled
  // Lost leases and the like (kInfra, kInvalid) of one trial, after which it fails: no limit that an ordinary run
  // meets, but a recipe that takes the whole worker down must not do so for ever.
  static constexpr int kInfraMax = 100;
  // Attempts at an audit that failed, after which it is hopeless.
  static constexpr int kAuditFailuresMax = 10;

  explicit Scheduler(const SchedulerOptions& options) : options_(options) {}

  // Says who a session is; until then it is named by itself.
  void Introduce(const std::string& worker, const WorkerIdentity& identity) { identities_[worker] = identity; }
  WorkerIdentity IdentityOf(const std::string& worker) const;

  // `trial.trial` must be new and have at least one shard.
  void AddTrial(const OpenTrial& trial);
  // Drops all trials and leases, to be added anew under another epoch; what is known of workers stays.
  void Reset(int epoch);
  // `name` gets that open shard only where nobody else is there.
  void Exclude(int64_t trial, int shard, const std::string& name);

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
  // Settles the shard of a key that Judge accepts. A trial without an open shard or audit is forgotten.
  void Complete(const ShardKey& key, Clock::Duration now);
  // Whether `worker` has lost a race for the shard: a copy of it was out when another answer was counted.
  bool WasOutrun(const ShardKey& key, const std::string& worker) const;

  // Audits. A settled shard is to be computed again, by a worker whose name is not among those that have answered; one
  // of the first answer's device class where there is one. The shard may be that of a trial that is not open any more.
  void AddAudit(int64_t trial, int shard, const WorkerIdentity& answered);
  // Completes as Complete does, and has the shard audited. A copy that is out serves as the audit.
  void CompleteForAudit(const ShardKey& key, Clock::Duration now, const WorkerIdentity& answered);
  bool WantsAnswerOf(const ShardKey& key, const std::string& worker) const;
  // That name has answered too, but the audit goes on.
  void AuditAnswered(const ShardKey& key, const std::string& name);
  void EndAudit(int64_t trial, int shard);
  // Audits that nobody who is there can carry on, and those that have failed too often.
  std::vector<std::pair<int64_t, int>> HopelessAudits() const;
  int audits() const { return audits_; }

  // Whether and how a failure would count; Fail makes it so. A failed trial is forgotten with all its shards. An audit
  // does not fail its trial.
  FailureVerdict JudgeFailure(const ShardKey& key, FailureClass failure) const;
  FailureVerdict Fail(const ShardKey& key, FailureClass failure);

  // Who holds the lease of `key`, or "" when nobody does under that attempt.
  std::string HolderOf(const ShardKey& key) const;
  // Reported kInvalid, or quarantined: it gets no more work.
  bool IsBarred(const std::string& worker) const;
  // Bars all sessions of that name, also those to come.
  void Quarantine(const std::string& name) { quarantined_.insert(name); }
  // The session gets no more work.
  void Bar(const std::string& worker) { barred_.insert(worker); }
  // Names that get work only where nobody else is there, and that nobody counts on: whether they compute rightly is
  // open.
  void SetWaiting(std::set<std::string> names) { waiting_workers_ = std::move(names); }
  // Notes that a worker is there that is busy with something else than a shard.
  void Hear(const std::string& worker, Clock::Duration now) { last_seen_[worker] = now; }
  bool IsQuarantined(const std::string& worker) const { return quarantined_.contains(IdentityOf(worker).name); }

  bool IsOpen(int64_t trial) const { return trials_.contains(trial); }  // a shard or an audit of it is to be done
  bool HasOpenShard(int64_t trial) const;
  int open_shards() const { return open_; }  // without a result, leased or not
  int leased_shards() const { return static_cast<int>(held_.size()); }
  int workers() const { return static_cast<int>(last_seen_.size()); }  // heard of within the last lease time
  // Whether a worker that is there, is not barred, does not wait and has another name than `name` satisfies `wanted`.
  template <typename Predicate>
  bool AnyoneBut(const std::string& name, Predicate wanted) const;

 private:
  using ShardId = std::pair<int64_t, int>;  // trial, shard
  struct LeaseState {
    std::string worker;
    int attempt = 0;
    Clock::Duration since{0}, deadline{0};
  };
  struct ShardState {
    int handed_out = 0;              // attempts in this epoch
    bool audit = false;              // has a result, and is to be computed again
    std::set<std::string> answered;  // names that are not to have it
    std::string device_class;        // of the first answer
    int audit_failures = 0;
    std::vector<LeaseState> leases;  // one, or two of a straggler
  };
  struct TrialState {
    std::map<int, ShardState> shards;  // open ones and audits
    int failures = 0;
    int infra = 0;
    WorkersByClass workers;
    std::set<std::string> failed_workers;  // names
  };

  ShardState* Find(const ShardId& shard);
  const ShardState* Find(const ShardId& shard) const;
  static const LeaseState* FindLease(const ShardState& state, int attempt);
  bool WasHandedOut(const ShardKey& key, const ShardState& state) const;
  bool MayWorkOn(const std::string& worker, const ShardId& shard) const;
  bool MayAnswer(const std::string& worker, const ShardState& state) const;
  bool OthersSaw(const TrialState& trial, FailureClass failure, const std::string& name) const;
  std::optional<ShardId> FirstWaiting(const std::set<ShardId>& waiting, const std::string& worker) const;
  std::optional<ShardId> OldestStraggler(const std::string& worker, Clock::Duration now) const;
  ShardKey HandOut(const ShardId& shard, const std::string& worker, Clock::Duration now);
  void AddLease(const ShardId& shard, LeaseState lease);
  void Release(const ShardId& shard, int attempt);
  void ReleaseAll(const ShardId& shard);
  // Where the shard stands in the queues after its leases or its kind have changed.
  void Requeue(const ShardId& shard);
  void Erase(const ShardId& shard);
  void Forget(int64_t trial);

  SchedulerOptions options_;
  std::map<int64_t, TrialState> trials_;
  std::set<ShardId> waiting_, waiting_audits_;                   // without a lease
  std::set<std::pair<Clock::Duration, ShardId>> single_leases_;  // by their beginning: who may be a straggler
  int open_ = 0, audits_ = 0;
  DurationMedian durations_;                          // of the shards of this stage
  std::map<std::string, ShardId> held_;               // worker -> the shard of its lease
  std::set<std::pair<ShardId, std::string>> outrun_;  // copies that were out when another answer counted, by worker
  std::map<std::string, WorkerIdentity> identities_;  // by session
  std::map<std::string, Clock::Duration> last_seen_;
  std::set<std::string> barred_;           // sessions
  std::set<std::string> quarantined_;      // names
  std::set<std::string> waiting_workers_;  // names
};

template <typename Predicate>
bool Scheduler::AnyoneBut(const std::string& name, Predicate wanted) const {
  for (const auto& [worker, seen] : last_seen_) {
    if (IsBarred(worker)) continue;
    const WorkerIdentity identity = IdentityOf(worker);
    if (identity.name != name && !waiting_workers_.contains(identity.name) && wanted(identity)) return true;
  }
  return false;
}

}  // namespace heterosis
