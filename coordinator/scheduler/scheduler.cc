// SPDX-License-Identifier: Apache-2.0
// Implements scheduler.h.
#include "coordinator/scheduler/scheduler.h"

#include <algorithm>
#include <cassert>

namespace heterosis {

void Scheduler::AddTrial(const OpenTrial& trial) {
  assert(!trials_.contains(trial.trial) && !trial.shards.empty());
  TrialState& state = trials_[trial.trial];
  for (int shard : trial.shards) state.open[shard] = 0;
  state.failures = trial.failures;
  state.workers = trial.workers;
}

// A worker that failed on the trial waits as long as there is another one to try it.
bool Scheduler::MayWorkOn(const std::string& worker, const TrialState& trial) const {
  if (!trial.failed_workers.contains(worker)) return true;
  return std::none_of(last_seen_.begin(), last_seen_.end(), [&](const auto& other) {
    return !trial.failed_workers.contains(other.first) && !barred_.contains(other.first);
  });
}

std::optional<ShardKey> Scheduler::Lease(const std::string& worker, Clock::Duration now) {
  last_seen_[worker] = now;
  if (barred_.contains(worker)) return std::nullopt;
  if (auto held = held_.find(worker); held != held_.end()) {
    LeaseState& lease = leases_.at(held->second);
    lease.deadline = now + options_.lease;
    return ShardKey{held->second.first, held->second.second, lease.attempt};
  }
  for (auto& [trial, state] : trials_) {
    if (!MayWorkOn(worker, state)) continue;
    for (auto& [shard, handed_out] : state.open) {
      if (leases_.contains({trial, shard})) continue;
      assert(handed_out < kAttemptsPerEpoch);
      const int attempt = options_.epoch * kAttemptsPerEpoch + handed_out++;
      leases_[{trial, shard}] = {worker, attempt, now + options_.lease};
      held_[worker] = {trial, shard};
      return ShardKey{trial, shard, attempt};
    }
  }
  return std::nullopt;
}

bool Scheduler::WasHandedOut(const ShardKey& key) const {
  const auto trial = trials_.find(key.trial);
  if (trial == trials_.end()) return false;
  const auto shard = trial->second.open.find(key.shard);
  if (shard == trial->second.open.end()) return false;
  // Earlier starts kept no list of their leases: every number of theirs is taken for handed out.
  return key.attempt >= kAttemptsPerEpoch && key.attempt < options_.epoch * kAttemptsPerEpoch + shard->second;
}

std::vector<ShardKey> Scheduler::Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding,
                                           Clock::Duration now) {
  last_seen_[worker] = now;
  std::vector<ShardKey> cancelled;
  for (const ShardKey& key : holding) {
    const ShardId shard{key.trial, key.shard};
    const auto lease = leases_.find(shard);
    if (lease != leases_.end() && lease->second.worker == worker && lease->second.attempt == key.attempt) {
      lease->second.deadline = now + options_.lease;
    } else if (lease == leases_.end() && WasHandedOut(key) && !held_.contains(worker) && !barred_.contains(worker)) {
      leases_[shard] = {worker, key.attempt, now + options_.lease};
      held_[worker] = shard;
    } else {
      cancelled.push_back(key);
    }
  }
  return cancelled;
}

void Scheduler::Release(const ShardId& shard) {
  const auto lease = leases_.find(shard);
  if (lease == leases_.end()) return;
  held_.erase(lease->second.worker);
  leases_.erase(lease);
}

void Scheduler::Forget(int64_t trial) {
  const auto state = trials_.find(trial);
  if (state == trials_.end()) return;
  for (const auto& [shard, attempts] : state->second.open) Release({trial, shard});
  trials_.erase(state);
}

std::vector<Scheduler::Lost> Scheduler::Overdue(Clock::Duration now) const {
  std::vector<Lost> overdue;
  for (const auto& [shard, lease] : leases_) {
    if (lease.deadline < now) overdue.push_back({{shard.first, shard.second, lease.attempt}, lease.worker});
  }
  return overdue;
}

void Scheduler::ForgetSilentWorkers(Clock::Duration now) {
  std::erase_if(last_seen_, [&](const auto& worker) {
    return worker.second + options_.lease < now && !held_.contains(worker.first);
  });
}

std::optional<ShardKey> Scheduler::HeldBy(const std::string& worker) const {
  const auto held = held_.find(worker);
  if (held == held_.end()) return std::nullopt;
  return ShardKey{held->second.first, held->second.second, leases_.at(held->second).attempt};
}

Verdict Scheduler::Judge(const ShardKey& key) const {
  const auto trial = trials_.find(key.trial);
  if (trial != trials_.end() && trial->second.open.contains(key.shard)) {
    return WasHandedOut(key) ? Verdict::kAccepted : Verdict::kStale;
  }
  return key.attempt >= kAttemptsPerEpoch && key.attempt < (options_.epoch + 1) * kAttemptsPerEpoch
             ? Verdict::kDuplicate
             : Verdict::kStale;
}

bool Scheduler::CompletesTrial(const ShardKey& key) const {
  const auto trial = trials_.find(key.trial);
  return trial != trials_.end() && trial->second.open.size() == 1 && trial->second.open.contains(key.shard);
}

void Scheduler::Complete(const ShardKey& key) {
  assert(Judge(key) == Verdict::kAccepted);
  Release({key.trial, key.shard});
  TrialState& trial = trials_.at(key.trial);
  trial.open.erase(key.shard);
  if (trial.open.empty()) trials_.erase(key.trial);
}

// Whether a worker other than `worker` has failed on the trial in the same way.
bool Scheduler::OthersSaw(const TrialState& trial, FailureClass failure, const std::string& worker) const {
  const auto seen = trial.workers.find(failure);
  return seen != trial.workers.end() && seen->second.size() > seen->second.count(worker);
}

FailureVerdict Scheduler::JudgeFailure(const ShardKey& key, FailureClass failure) const {
  const std::string worker = HolderOf(key);
  if (worker.empty()) return FailureVerdict::kIgnored;
  const TrialState& trial = trials_.at(key.trial);
  bool fails = false;
  switch (failure) {
    case FailureClass::kInfra:
    case FailureClass::kInvalid:
      fails = trial.infra + 1 >= kInfraMax;
      break;
    case FailureClass::kNumeric:
    case FailureClass::kMemory:
      fails = OthersSaw(trial, failure, worker) || trial.failures + 1 >= options_.attempts_max;
      break;
    case FailureClass::kCrash:
      fails = trial.failures + 1 >= options_.attempts_max;
      break;
  }
  return fails ? FailureVerdict::kTrialFailed : FailureVerdict::kRequeued;
}

FailureVerdict Scheduler::Fail(const ShardKey& key, FailureClass failure) {
  const FailureVerdict verdict = JudgeFailure(key, failure);
  if (verdict == FailureVerdict::kIgnored) return verdict;
  const std::string worker = HolderOf(key);
  if (failure == FailureClass::kInvalid) barred_.insert(worker);
  if (verdict == FailureVerdict::kTrialFailed) {
    Forget(key.trial);
    return verdict;
  }
  TrialState& trial = trials_.at(key.trial);
  if (failure == FailureClass::kInfra || failure == FailureClass::kInvalid) {
    ++trial.infra;
  } else {
    ++trial.failures;
    trial.failed_workers.insert(worker);
  }
  if (failure == FailureClass::kNumeric || failure == FailureClass::kMemory) trial.workers[failure].insert(worker);
  Release({key.trial, key.shard});
  return verdict;
}

std::string Scheduler::HolderOf(const ShardKey& key) const {
  const auto lease = leases_.find({key.trial, key.shard});
  return lease != leases_.end() && lease->second.attempt == key.attempt ? lease->second.worker : "";
}

int Scheduler::open_shards() const {
  int count = 0;
  for (const auto& [trial, state] : trials_) count += static_cast<int>(state.open.size());
  return count;
}

}  // namespace heterosis
