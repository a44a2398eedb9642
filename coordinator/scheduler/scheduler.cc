// SPDX-License-Identifier: Apache-2.0
// Implements scheduler.h.
#include "coordinator/scheduler/scheduler.h"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace heterosis {

WorkerIdentity Scheduler::IdentityOf(const std::string& worker) const {
  const auto known = identities_.find(worker);
  return known == identities_.end() ? WorkerIdentity{worker, ""} : known->second;
}

bool Scheduler::IsBarred(const std::string& worker) const {
  return barred_.contains(worker) || (!quarantined_.empty() && IsQuarantined(worker));
}

Scheduler::ShardState* Scheduler::Find(const ShardId& shard) {
  const auto trial = trials_.find(shard.first);
  if (trial == trials_.end()) return nullptr;
  const auto state = trial->second.shards.find(shard.second);
  return state == trial->second.shards.end() ? nullptr : &state->second;
}

const Scheduler::ShardState* Scheduler::Find(const ShardId& shard) const {
  return const_cast<Scheduler*>(this)->Find(shard);
}

const Scheduler::LeaseState* Scheduler::FindLease(const ShardState& state, int attempt) {
  const auto lease = std::find_if(state.leases.begin(), state.leases.end(),
                                  [&](const LeaseState& candidate) { return candidate.attempt == attempt; });
  return lease == state.leases.end() ? nullptr : &*lease;
}

void Scheduler::AddTrial(const OpenTrial& trial) {
  assert(!trials_.contains(trial.trial) && !trial.shards.empty());
  if (trials_.empty()) {  // a new stage
    durations_.Clear();
    outrun_.clear();
  }
  TrialState& state = trials_[trial.trial];
  state.failures = trial.failures;
  state.workers = trial.workers;
  for (const int shard : trial.shards) {
    state.shards[shard] = {};
    waiting_.insert({trial.trial, shard});
    ++open_;
  }
}

void Scheduler::Reset(int epoch) {
  options_.epoch = epoch;
  options_.oldest_epoch = epoch;
  trials_.clear();
  waiting_.clear();
  waiting_audits_.clear();
  single_leases_.clear();
  held_.clear();
  outrun_.clear();
  durations_.Clear();
  open_ = 0;
  audits_ = 0;
}

void Scheduler::Exclude(int64_t trial, int shard, const std::string& name) {
  if (ShardState* state = Find({trial, shard}); state != nullptr) state->answered.insert(name);
}

// A worker that failed on the trial, or is excluded, waits as long as there is another one to try it.
bool Scheduler::MayWorkOn(const std::string& worker, const ShardId& shard) const {
  const TrialState& trial = trials_.at(shard.first);
  const ShardState& state = trial.shards.at(shard.second);
  if (state.audit && !MayAnswer(worker, state)) return false;
  const auto fit = [&](const std::string& name) {
    return !trial.failed_workers.contains(name) && !state.answered.contains(name);
  };
  const std::string name = IdentityOf(worker).name;
  return fit(name) || !AnyoneBut(name, [&](const WorkerIdentity& other) { return fit(other.name); });
}

// Another device class sees only gross errors: it audits where none of the first answer's class is there to do it.
bool Scheduler::MayAnswer(const std::string& worker, const ShardState& state) const {
  const WorkerIdentity identity = IdentityOf(worker);
  if (state.answered.contains(identity.name)) return false;
  if (identity.device_class == state.device_class) return true;
  return !AnyoneBut(identity.name, [&](const WorkerIdentity& other) {
    return other.device_class == state.device_class && !state.answered.contains(other.name);
  });
}

std::optional<Scheduler::ShardId> Scheduler::FirstWaiting(const std::set<ShardId>& waiting,
                                                          const std::string& worker) const {
  const auto first =
      std::find_if(waiting.begin(), waiting.end(), [&](const ShardId& shard) { return MayWorkOn(worker, shard); });
  if (first == waiting.end()) return std::nullopt;
  return *first;
}

std::optional<Scheduler::ShardId> Scheduler::OldestStraggler(const std::string& worker, Clock::Duration now) const {
  for (const auto& [since, shard] : single_leases_) {
    if (!IsStraggler(now - since, durations_)) break;  // nor are the younger ones
    const LeaseState& lease = Find(shard)->leases.front();
    if (IdentityOf(lease.worker).name == IdentityOf(worker).name) continue;
    if (MayWorkOn(worker, shard)) return shard;
  }
  return std::nullopt;
}

std::optional<ShardKey> Scheduler::Lease(const std::string& worker, Clock::Duration now) {
  last_seen_[worker] = now;
  if (IsBarred(worker)) return std::nullopt;
  if (const auto held = held_.find(worker); held != held_.end()) {
    for (LeaseState& lease : Find(held->second)->leases) {
      if (lease.worker != worker) continue;
      lease.deadline = now + options_.lease;
      return ShardKey{held->second.first, held->second.second, lease.attempt};
    }
  }
  const std::string name = IdentityOf(worker).name;
  if (waiting_workers_.contains(name) && AnyoneBut(name, [](const WorkerIdentity&) { return true; })) {
    return std::nullopt;
  }
  std::optional<ShardId> next = FirstWaiting(waiting_, worker);
  if (!next.has_value()) next = FirstWaiting(waiting_audits_, worker);
  if (!next.has_value()) next = OldestStraggler(worker, now);
  if (!next.has_value()) return std::nullopt;
  return HandOut(*next, worker, now);
}

ShardKey Scheduler::HandOut(const ShardId& shard, const std::string& worker, Clock::Duration now) {
  ShardState& state = *Find(shard);
  assert(state.handed_out < kAttemptsPerEpoch);
  const int attempt = options_.epoch * kAttemptsPerEpoch + state.handed_out++;
  AddLease(shard, {worker, attempt, now, now + options_.lease});
  return {shard.first, shard.second, attempt};
}

void Scheduler::AddLease(const ShardId& shard, LeaseState lease) {
  held_[lease.worker] = shard;
  ShardState& state = *Find(shard);
  for (const LeaseState& other : state.leases) single_leases_.erase({other.since, shard});
  state.leases.push_back(std::move(lease));
  Requeue(shard);
}

void Scheduler::Requeue(const ShardId& shard) {
  const ShardState& state = *Find(shard);
  waiting_.erase(shard);
  waiting_audits_.erase(shard);
  if (state.leases.empty()) (state.audit ? waiting_audits_ : waiting_).insert(shard);
  if (state.leases.size() == 1) single_leases_.insert({state.leases.front().since, shard});
}

void Scheduler::Release(const ShardId& shard, int attempt) {
  ShardState* state = Find(shard);
  if (state == nullptr) return;
  for (const LeaseState& lease : state->leases) {
    single_leases_.erase({lease.since, shard});
    if (lease.attempt == attempt) held_.erase(lease.worker);
  }
  std::erase_if(state->leases, [&](const LeaseState& lease) { return lease.attempt == attempt; });
  Requeue(shard);
}

void Scheduler::ReleaseAll(const ShardId& shard) {
  while (!Find(shard)->leases.empty()) Release(shard, Find(shard)->leases.front().attempt);
}

void Scheduler::Erase(const ShardId& shard) {
  ReleaseAll(shard);
  waiting_.erase(shard);
  waiting_audits_.erase(shard);
  TrialState& trial = trials_.at(shard.first);
  --(trial.shards.at(shard.second).audit ? audits_ : open_);
  trial.shards.erase(shard.second);
  if (trial.shards.empty()) trials_.erase(shard.first);
}

void Scheduler::Forget(int64_t trial) {
  while (trials_.contains(trial)) Erase({trial, trials_.at(trial).shards.begin()->first});
}

// Earlier starts kept no list of their leases: every number of theirs is taken for handed out.
bool Scheduler::WasHandedOut(const ShardKey& key, const ShardState& state) const {
  return key.attempt >= options_.oldest_epoch * kAttemptsPerEpoch &&
         key.attempt < options_.epoch * kAttemptsPerEpoch + state.handed_out;
}

std::vector<ShardKey> Scheduler::Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding,
                                           Clock::Duration now) {
  last_seen_[worker] = now;
  std::vector<ShardKey> cancelled;
  for (const ShardKey& key : holding) {
    const ShardId shard{key.trial, key.shard};
    ShardState* state = Find(shard);
    if (state != nullptr && HolderOf(key) == worker) {
      for (LeaseState& lease : state->leases) {
        if (lease.attempt == key.attempt) lease.deadline = now + options_.lease;
      }
    } else if (state != nullptr && state->leases.empty() && WasHandedOut(key, *state) && !held_.contains(worker) &&
               !IsBarred(worker) && (!state->audit || MayAnswer(worker, *state))) {
      AddLease(shard, {worker, key.attempt, now, now + options_.lease});
    } else {
      cancelled.push_back(key);
    }
  }
  return cancelled;
}

std::vector<Scheduler::Lost> Scheduler::Overdue(Clock::Duration now) const {
  std::vector<Lost> overdue;
  for (const auto& [worker, shard] : held_) {
    for (const LeaseState& lease : Find(shard)->leases) {
      if (lease.worker != worker || lease.deadline >= now) continue;
      overdue.push_back({{shard.first, shard.second, lease.attempt}, worker});
    }
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
  for (const LeaseState& lease : Find(held->second)->leases) {
    if (lease.worker == worker) return ShardKey{held->second.first, held->second.second, lease.attempt};
  }
  return std::nullopt;
}

std::string Scheduler::HolderOf(const ShardKey& key) const {
  const ShardState* state = Find({key.trial, key.shard});
  const LeaseState* lease = state == nullptr ? nullptr : FindLease(*state, key.attempt);
  return lease == nullptr ? "" : lease->worker;
}

Verdict Scheduler::Judge(const ShardKey& key) const {
  if (const ShardState* state = Find({key.trial, key.shard}); state != nullptr) {
    if (!WasHandedOut(key, *state)) return Verdict::kStale;
    return state->audit ? Verdict::kAudit : Verdict::kAccepted;
  }
  return key.attempt >= options_.oldest_epoch * kAttemptsPerEpoch &&
                 key.attempt < (options_.epoch + 1) * kAttemptsPerEpoch
             ? Verdict::kDuplicate
             : Verdict::kStale;
}

bool Scheduler::HasOpenShard(int64_t trial) const {
  const auto state = trials_.find(trial);
  return state != trials_.end() && std::any_of(state->second.shards.begin(), state->second.shards.end(),
                                               [](const auto& shard) { return !shard.second.audit; });
}

bool Scheduler::CompletesTrial(const ShardKey& key) const {
  const auto trial = trials_.find(key.trial);
  if (trial == trials_.end()) return false;
  const auto& shards = trial->second.shards;
  const auto is_open = [](const auto& shard) { return !shard.second.audit; };
  const auto shard = shards.find(key.shard);
  return shard != shards.end() && is_open(*shard) && std::count_if(shards.begin(), shards.end(), is_open) == 1;
}

void Scheduler::Complete(const ShardKey& key, Clock::Duration now) {
  assert(Judge(key) == Verdict::kAccepted);
  const ShardId shard{key.trial, key.shard};
  const ShardState& state = *Find(shard);
  for (const LeaseState& lease : state.leases) {
    if (lease.attempt == key.attempt) {
      durations_.Add(now - lease.since);
    } else {
      outrun_.insert({shard, lease.worker});
    }
  }
  Erase(shard);
}

bool Scheduler::WasOutrun(const ShardKey& key, const std::string& worker) const {
  return outrun_.contains({{key.trial, key.shard}, worker});
}

void Scheduler::AddAudit(int64_t trial, int shard, const WorkerIdentity& answered) {
  ShardState& state = trials_[trial].shards[shard];
  assert(state.leases.empty() && !state.audit);
  state.audit = true;
  state.handed_out = kFirstAudit;  // the numbers below were given while the shard was open
  state.answered = {answered.name};
  state.device_class = answered.device_class;
  ++audits_;
  Requeue({trial, shard});
}

void Scheduler::CompleteForAudit(const ShardKey& key, Clock::Duration now, const WorkerIdentity& answered) {
  assert(Judge(key) == Verdict::kAccepted);
  const ShardId shard{key.trial, key.shard};
  ShardState& state = *Find(shard);
  if (const LeaseState* lease = FindLease(state, key.attempt); lease != nullptr) durations_.Add(now - lease->since);
  Release(shard, key.attempt);
  state.audit = true;
  state.answered = {answered.name};
  state.device_class = answered.device_class;
  --open_;
  ++audits_;
  AuditAnswered(key, answered.name);
}

bool Scheduler::WantsAnswerOf(const ShardKey& key, const std::string& worker) const {
  const ShardState* state = Find({key.trial, key.shard});
  return state != nullptr && state->audit && WasHandedOut(key, *state) && !IsBarred(worker) &&
         !state->answered.contains(IdentityOf(worker).name);
}

void Scheduler::AuditAnswered(const ShardKey& key, const std::string& name) {
  const ShardId shard{key.trial, key.shard};
  ShardState& state = *Find(shard);
  state.answered.insert(name);
  const std::vector<LeaseState> leases = state.leases;
  for (const LeaseState& lease : leases) {
    if (IdentityOf(lease.worker).name == name) Release(shard, lease.attempt);
  }
  Requeue(shard);
}

void Scheduler::EndAudit(int64_t trial, int shard) {
  if (const ShardState* state = Find({trial, shard}); state != nullptr && state->audit) Erase({trial, shard});
}

std::vector<std::pair<int64_t, int>> Scheduler::HopelessAudits() const {
  std::vector<std::pair<int64_t, int>> hopeless;
  for (const ShardId& shard : waiting_audits_) {
    const ShardState& state = *Find(shard);
    const bool someone =
        AnyoneBut("", [&](const WorkerIdentity& other) { return !state.answered.contains(other.name); });
    if (!someone || state.audit_failures >= kAuditFailuresMax) hopeless.push_back(shard);
  }
  return hopeless;
}

// Whether a worker other than `name` has failed on the trial in the same way.
bool Scheduler::OthersSaw(const TrialState& trial, FailureClass failure, const std::string& name) const {
  const auto seen = trial.workers.find(failure);
  return seen != trial.workers.end() && seen->second.size() > seen->second.count(name);
}

FailureVerdict Scheduler::JudgeFailure(const ShardKey& key, FailureClass failure) const {
  const std::string worker = HolderOf(key);
  if (worker.empty()) return FailureVerdict::kIgnored;
  if (Find({key.trial, key.shard})->audit) return FailureVerdict::kRequeued;
  const TrialState& trial = trials_.at(key.trial);
  bool fails = false;
  switch (failure) {
    case FailureClass::kInfra:
    case FailureClass::kInvalid:
      fails = trial.infra + 1 >= kInfraMax;
      break;
    case FailureClass::kCrash:
    case FailureClass::kNumeric:
    case FailureClass::kMemory:
      // What two workers have seen is the trial's fault; one alone may be at fault itself, and has to try again.
      fails = OthersSaw(trial, failure, IdentityOf(worker).name) || trial.failures + 1 >= options_.attempts_max;
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
  ShardState& shard = trial.shards.at(key.shard);
  if (shard.audit) {
    ++shard.audit_failures;
  } else if (failure == FailureClass::kInfra || failure == FailureClass::kInvalid) {
    ++trial.infra;
  } else {
    ++trial.failures;
    trial.failed_workers.insert(IdentityOf(worker).name);
    trial.workers[failure].insert(IdentityOf(worker).name);
  }
  Release({key.trial, key.shard}, key.attempt);
  return verdict;
}

}  // namespace heterosis
