// SPDX-License-Identifier: Apache-2.0
// Implements experiment.h: the stage that runs, from leases to results. advance.cc has the way from stage to stage,
// audit.cc and canary.cc who is believed.
#include "coordinator/experiment/experiment.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/scheduler/agreement.h"

namespace heterosis {
namespace {

constexpr Clock::Duration kPauseBetweenTries{1'000};

}  // namespace

Experiment::Experiment(ExperimentSetup setup, std::vector<PhasePlan> phases, Store& store, const Clock& clock)
    : setup_(std::move(setup)),
      phases_(std::move(phases)),
      record_(RecordOf(setup_, phases_)),
      store_(store),
      clock_(clock),
      opened_(clock.Monotonic()),
      opened_ms_(clock.Wall().count()) {}

Experiment::~Experiment() = default;

absl::Status Experiment::RegisterWorker(const WorkerRecord& worker) {
  RETURN_IF_ERROR(store_.CommitWorker(worker, now_ms()));
  worker_names_[worker.session] = worker.name;
  scheduler_->Introduce(worker.session, {worker.name, DeviceClass(worker.device)});
  return absl::OkStatus();
}

std::pair<size_t, size_t> Experiment::SliceOf(int shard, size_t sample_count) const {
  const auto shard_size = static_cast<size_t>(setup_.config.evaluation().shard_size());
  const size_t begin = static_cast<size_t>(shard) * shard_size;
  return {begin, std::min(begin + shard_size, sample_count)};
}

ShardWork Experiment::WorkOf(const ShardKey& key) const {
  const OpenTrial& trial = open_.at(key.trial);
  ShardWork work{.key = key, .recipe = trial.recipe, .split = trial.samples.split, .samples = {}, .problems = {}};
  const std::vector<Problem>& problems = setup_.problems(work.split);
  const auto [begin, end] = SliceOf(key.shard, trial.samples.samples.size());
  for (size_t i = begin; i < end; ++i) {
    const int sample = trial.samples.samples[i];
    work.samples.push_back(sample);
    work.problems.push_back(problems[static_cast<size_t>(sample)]);
  }
  return work;
}

absl::StatusOr<std::optional<ShardWork>> Experiment::Lease(const std::string& worker) {
  if (store_.paused()) return std::nullopt;  // its result could not be kept
  RETURN_IF_ERROR(AdvanceIfDue());
  const Clock::Duration now = clock_.Monotonic();
  const std::optional<ShardKey> key = scheduler_->Lease(worker, now);
  if (!key.has_value()) return std::nullopt;
  if (!first_lease_.has_value()) first_lease_ = now;
  return WorkOf(*key);
}

std::vector<ShardKey> Experiment::Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding) {
  return scheduler_->Heartbeat(worker, holding, clock_.Monotonic());
}

absl::Status Experiment::CheckResult(const ShardResult& result) const {
  const std::vector<int> samples = WorkOf(result.key).samples;
  const bool same = std::equal(samples.begin(), samples.end(), result.samples.begin(), result.samples.end(),
                               [](int sample, const SampleResult& given) { return given.sample == sample; });
  if (same) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("the results are not those of the %d samples of trial %d, shard %d",
                                                    samples.size(), result.key.trial, result.key.shard));
}

absl::StatusOr<bool> Experiment::Report(const std::string& worker, const ShardResult& result) {
  const Verdict verdict = scheduler_->Judge(result.key);
  if (verdict == Verdict::kStale || scheduler_->IsQuarantined(worker)) return false;
  CountShard(worker);
  if (verdict == Verdict::kAudit) return ReportAudit(worker, result);
  if (verdict == Verdict::kDuplicate) {
    // Of no use for the search; an error is the comparison's own.
    if (const absl::Status compared = CompareOutrun(worker, result); !compared.ok()) LogWarning(Message(compared));
    return false;
  }
  RETURN_IF_ERROR(CheckResult(result));
  const WorkerIdentity who = scheduler_->IdentityOf(worker);
  ASSIGN_OR_RETURN(const bool audit_due, AuditDue(who.name, result.key));
  RETURN_IF_ERROR(store_.CommitShard({result, worker, audit_due}, now_ms()));
  const bool completes = scheduler_->CompletesTrial(result.key);
  if (audit_due) {
    scheduler_->CompleteForAudit(result.key, clock_.Monotonic(), who);
  } else {
    scheduler_->Complete(result.key, clock_.Monotonic());
  }
  samples_done_ += static_cast<int64_t>(result.samples.size());
  if (completes) Settle(result.key.trial, /*done=*/true);
  // The result is safe; what the next stage lacks (disk space, say) is not this worker's business.
  TellUnlessPaused(AdvanceIfDue());
  return true;
}

absl::StatusOr<bool> Experiment::ReportFailure(const std::string& worker, const ShardFailure& failure) {
  if (scheduler_->JudgeFailure(failure.key, failure.failure) == FailureVerdict::kIgnored) return false;
  if (scheduler_->HolderOf(failure.key) != worker) return false;
  RETURN_IF_ERROR(Fail(worker, failure));
  TellUnlessPaused(AdvanceIfDue());
  return true;
}

absl::Status Experiment::Fail(const std::string& worker, const ShardFailure& failure) {
  const bool fails_trial = scheduler_->JudgeFailure(failure.key, failure.failure) == FailureVerdict::kTrialFailed;
  RETURN_IF_ERROR(store_.CommitFailure({failure, worker, fails_trial}, now_ms()));
  scheduler_->Fail(failure.key, failure.failure);
  if (fails_trial) {
    LogWarning(absl::StrFormat("trial %d is given up (%s): %s", failure.key.trial, Name(EndAfter(failure.failure)),
                               failure.message));
    Settle(failure.key.trial, /*done=*/false);
  }
  return absl::OkStatus();
}

absl::Status Experiment::WorkerLost(const std::string& worker) {
  if (const std::optional<ShardKey> held = scheduler_->HeldBy(worker); held.has_value()) {
    RETURN_IF_ERROR(Fail(worker, {*held, FailureClass::kInfra, "the worker has gone"}));
  }
  scheduler_->ForgetWorker(worker);
  return AdvanceIfDue();
}

void Experiment::CloseTrial(int64_t trial) {
  if (!scheduler_->IsOpen(trial)) open_.erase(trial);
}

// The store has said once that nothing can be written.
void Experiment::TellUnlessPaused(const absl::Status& status) const {
  if (!status.ok() && !store_.paused()) LogWarning(Message(status));
}

void Experiment::Settle(int64_t trial, bool done) {
  CloseTrial(trial);
  if (!done || stage_.kind != StageKind::kGeneration) return;
  // A progress line that lags behind is no reason to fail.
  if (const absl::Status loaded = LoadFitness(); !loaded.ok()) LogWarning(Message(loaded));
}

absl::Status Experiment::Tick() {
  if (finished()) return absl::OkStatus();
  const Clock::Duration now = clock_.Monotonic();
  if (store_.paused()) {
    if (now < next_try_) return absl::OkStatus();
    next_try_ = now + kPauseBetweenTries;
    store_.TryWriting();
    if (store_.paused()) return absl::OkStatus();
  }
  for (const Scheduler::Lost& lost : scheduler_->Overdue(now)) {
    LogWarning(absl::StrFormat("worker %s was silent for too long: trial %d, shard %d goes to another",
                               worker_names_[lost.worker], lost.key.trial, lost.key.shard));
    RETURN_IF_ERROR(Fail(lost.worker, {lost.key, FailureClass::kInfra, "the worker fell silent"}));
  }
  scheduler_->ForgetSilentWorkers(now);
  RETURN_IF_ERROR(GiveUpHopelessAudits());
  return AdvanceIfDue();
}

Progress Experiment::progress() const {
  Progress progress;
  progress.state = state_;
  progress.error = error_;
  progress.stage = stage_.kind;
  if (stage_.phase.has_value()) {
    const PhasePlan& phase = phases_[static_cast<size_t>(*stage_.phase)];
    progress.phase = phase.name();
    progress.generations = phase.generations();
    progress.generation = stage_.generation.value_or(phase.generations());
    progress.best = fitness_.best;
    progress.mean = fitness_.mean;
  }
  progress.trials_total = trials_total_;
  progress.trials_done = trials_total_;
  for (const auto& [id, trial] : open_) {
    if (scheduler_->HasOpenShard(id)) progress.trials_done -= 1 + trial.sharers;
  }
  progress.shards_open = scheduler_->open_shards();
  progress.shards_leased = scheduler_->leased_shards();
  progress.samples_done = samples_done_;
  progress.samples_total = std::max(samples_total_, samples_done_);
  progress.workers = scheduler_->workers();
  progress.epoch = epoch_;
  if (first_lease_.has_value()) {
    const double seconds = std::chrono::duration<double>(clock_.Monotonic() - *first_lease_).count();
    const auto samples = static_cast<double>(samples_done_ - samples_before_);
    if (seconds > 0) progress.samples_per_second = samples / seconds;
    if (samples > 0 && seconds > 0) {
      progress.eta_seconds = static_cast<double>(progress.samples_total - samples_done_) / progress.samples_per_second;
    }
  }
  return progress;
}

}  // namespace heterosis
