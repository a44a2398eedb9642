// SPDX-License-Identifier: Apache-2.0
// Implements the part of experiment.h that leads from one stage to the next: parents, then for each phase its
// generations and the selection of its winner, then the sealed test.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/experiment/experiment.h"
#include "coordinator/experiment/stage_builder.h"

namespace heterosis {
namespace {

bool AllFailed(const std::vector<TrialRecord>& trials) {
  return !trials.empty() && std::all_of(trials.begin(), trials.end(), FailedOnWorkers);
}

// What an optimizer is told of a generation, in the order of its candidates.
std::vector<Evaluation> EvaluationsOf(const std::vector<TrialRecord>& trials) {
  std::vector<Evaluation> evaluations;
  for (const TrialRecord& trial : trials) {
    if (trial.purpose != Purpose::kSearch) continue;
    evaluations.push_back({trial.score.value_or(0), trial.state == TrialState::kDone});
  }
  return evaluations;
}

absl::StatusOr<std::vector<PhasePlan>> PlanPhases(const ExperimentSetup& setup) {
  std::vector<PhasePlan> phases;
  for (int i = 0; i < setup.config.phases_size(); ++i) {
    ASSIGN_OR_RETURN(PhasePlan phase, PhasePlan::Create(setup.config, i, setup.model_layers));
    phases.push_back(std::move(phase));
  }
  return phases;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Experiment>> Experiment::Open(ExperimentSetup setup, Store& store, const Clock& clock) {
  ASSIGN_OR_RETURN(std::vector<PhasePlan> phases, PlanPhases(setup));
  std::unique_ptr<Experiment> experiment(new Experiment(std::move(setup), std::move(phases), store, clock));
  ASSIGN_OR_RETURN(const bool exists, store.HasExperiment());
  if (!exists) RETURN_IF_ERROR(store.CreateExperiment(experiment->record_, experiment->now_ms()));
  ASSIGN_OR_RETURN(const ExperimentRecord stored, store.LoadExperiment());
  RETURN_IF_ERROR(CheckSameExperiment(stored, experiment->setup_));
  experiment->run_id_ = stored.run_id;
  RETURN_IF_ERROR(experiment->Resume());
  return experiment;
}

absl::Status Experiment::Resume() {
  // A clock that was set back since the last start does not take the database with it.
  ASSIGN_OR_RETURN(const int64_t newest_ms, store_.NewestTime());
  opened_ms_ = std::max(opened_ms_, newest_ms);
  ASSIGN_OR_RETURN(FinishCommit stored, store_.State());
  if (stored.state == ExperimentState::kFailed) {
    LogInfo(absl::StrCat("the last run failed (", stored.error, "); its failed trials are tried again"));
    RETURN_IF_ERROR(store_.Reopen());
    stored = {};
  }
  state_ = stored.state;
  error_ = stored.error;
  ASSIGN_OR_RETURN(samples_done_, store_.SamplesDone());
  samples_before_ = samples_done_;
  const auto& scheduling = setup_.config.scheduling();
  SchedulerOptions options;
  options.lease = Clock::Duration(static_cast<int64_t>(scheduling.lease_seconds() * 1000));
  options.attempts_max = scheduling.attempts();
  if (!finished()) {
    ASSIGN_OR_RETURN(epoch_, store_.BeginEpoch(now_ms()));
  }
  options.epoch = epoch_;
  ASSIGN_OR_RETURN(options.oldest_epoch, store_.OldestEpoch());
  scheduler_ = std::make_unique<Scheduler>(options);
  if (finished()) return absl::OkStatus();
  RETURN_IF_ERROR(LoadTrust());
  RETURN_IF_ERROR(LoadStage());
  if (stage_.stage > 0 || samples_done_ > 0) {
    LogInfo(absl::StrFormat("resuming: %d samples are scored, start %d", samples_done_, epoch_));
  }
  if (open_.empty()) {
    ASSIGN_OR_RETURN(returning_, store_.NamesIn(stage_.stage));
  }
  return AdvanceIfDue();
}

absl::Status Experiment::LoadStage() {
  ASSIGN_OR_RETURN(const std::optional<StageRecord> stage, store_.LastStage());
  if (!stage.has_value()) {
    ASSIGN_OR_RETURN(const StageCommit commit, StageBuilder(setup_, store_, 0).Parents(phases_[0].out_dtype()));
    return BeginStage(commit);
  }
  if (stage->phase.has_value()) RETURN_IF_ERROR(UseWinners(*stage->phase, std::nullopt));
  if (stage->kind == StageKind::kGeneration) {
    ASSIGN_OR_RETURN(optimizer_, OptimizerOf(*stage->phase, *stage->generation));
  }
  ASSIGN_OR_RETURN(const std::vector<TrialRecord> trials, store_.Trials(stage->stage));
  return Adopt(*stage, trials);
}

// Only the newest two snapshots are kept. Further back, told again what the database has of each generation, a new
// optimizer comes to the same state.
absl::StatusOr<std::unique_ptr<Optimizer>> Experiment::OptimizerOf(int phase, int generation) {
  const PhasePlan& plan = phases_[static_cast<size_t>(phase)];
  const absl::StatusOr<std::string> snapshot = store_.Snapshot(phase, generation);
  if (snapshot.ok()) return plan.Restore(*snapshot);
  if (!absl::IsNotFound(snapshot.status())) return snapshot.status();
  ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> optimizer, plan.NewOptimizer());
  for (int earlier = 0; earlier < generation; ++earlier) {
    ASSIGN_OR_RETURN(const int stage, store_.StageOf(phase, earlier));
    ASSIGN_OR_RETURN(const std::vector<TrialRecord> trials, store_.Trials(stage));
    RETURN_IF_ERROR(optimizer->Tell(EvaluationsOf(trials)));
  }
  return optimizer;
}

absl::Status Experiment::Reload() {
  const int64_t before = samples_done_;
  // Without a new epoch the numbers of attempts would be given a second time.
  ASSIGN_OR_RETURN(int epoch, store_.Epoch());
  if (epoch == epoch_) {
    ASSIGN_OR_RETURN(epoch, store_.BeginEpoch(now_ms()));
  }
  epoch_ = epoch;
  ASSIGN_OR_RETURN(samples_done_, store_.SamplesDone());
  samples_before_ += samples_done_ - before;
  scheduler_->Reset(epoch_);
  open_.clear();
  disputes_.clear();
  hopeless_.clear();
  RETURN_IF_ERROR(LoadTrust());
  RETURN_IF_ERROR(LoadStage());
  reload_due_ = false;
  return absl::OkStatus();
}

absl::Status Experiment::Adopt(const StageRecord& stage, const std::vector<TrialRecord>& trials) {
  ASSIGN_OR_RETURN(const std::vector<UnfinishedTrial> unfinished, store_.UnfinishedTrials());
  std::map<int64_t, OpenTrial> open;
  for (const UnfinishedTrial& left : unfinished) {
    const auto record =
        std::find_if(trials.begin(), trials.end(), [&](const TrialRecord& trial) { return trial.trial == left.trial; });
    if (record == trials.end()) return absl::DataLossError(absl::StrCat("trial ", left.trial, " is of no open stage"));
    ASSIGN_OR_RETURN(const GenomeRecord genome, store_.Genome(record->genome));
    open[left.trial] = {genome.recipe, record->samples, static_cast<int>(left.open_shards.size())};
  }
  for (const TrialRecord& trial : trials) {
    if (trial.same_as.has_value() && open.contains(*trial.same_as)) ++open[*trial.same_as].sharers;
  }
  samples_total_ = samples_done_ + SamplesPlannedAfter(setup_, phases_, stage);
  for (const UnfinishedTrial& left : unfinished) {
    const size_t samples = open[left.trial].samples.samples.size();
    for (const int shard : left.open_shards) {
      const auto [begin, end] = SliceOf(shard, samples);
      samples_total_ += static_cast<int64_t>(end - begin);
    }
  }
  stage_ = stage;
  returning_.clear();
  trials_total_ = static_cast<int>(trials.size());
  open_ = std::move(open);
  for (const UnfinishedTrial& left : unfinished) {
    scheduler_->AddTrial({left.trial, left.open_shards, left.failures, left.workers});
  }
  ASSIGN_OR_RETURN(const std::vector<AuditRecord> audits, store_.DueAudits());
  RETURN_IF_ERROR(OpenForAudits(audits));
  return LoadFitness();
}

absl::Status Experiment::LoadFitness() {
  fitness_ = {};
  if (!stage_.phase.has_value()) return absl::OkStatus();
  // The mean is that of the last generation that is complete.
  const int finished = stage_.generation.value_or(phases_[static_cast<size_t>(*stage_.phase)].generations()) - 1;
  ASSIGN_OR_RETURN(fitness_, store_.Fitness(*stage_.phase, finished));
  return absl::OkStatus();
}

absl::Status Experiment::BeginStage(const StageCommit& commit) {
  RETURN_IF_ERROR(store_.CommitStage(commit, now_ms()));
  // Read back rather than taken over: a start of the program then sees the same.
  ASSIGN_OR_RETURN(const std::vector<TrialRecord> trials, store_.Trials(commit.stage.stage));
  RETURN_IF_ERROR(Adopt(commit.stage, trials));
  return AdvanceIfDue();  // all of it may be known already
}

// A commit may have gone through although what followed it failed: the stage is not begun a second time then.
absl::StatusOr<bool> Experiment::AdoptIfCommitted() {
  ASSIGN_OR_RETURN(const std::optional<StageRecord> last, store_.LastStage());
  if (!last.has_value() || last->stage != stage_.stage + 1) return false;
  ASSIGN_OR_RETURN(const std::vector<TrialRecord> trials, store_.Trials(last->stage));
  RETURN_IF_ERROR(Adopt(*last, trials));
  return true;
}

absl::Status Experiment::AdvanceIfDue() {
  if (finished()) return absl::OkStatus();
  if (reload_due_) RETURN_IF_ERROR(Reload());
  return open_.empty() ? Advance() : absl::OkStatus();
}

absl::Status Experiment::Advance() {
  ASSIGN_OR_RETURN(const bool committed, AdoptIfCommitted());
  if (committed) return AdvanceIfDue();
  ASSIGN_OR_RETURN(const std::vector<TrialRecord> trials, store_.Trials(stage_.stage));
  if (AllFailed(trials)) {
    return End(ExperimentState::kFailed,
               absl::StrCat("all trials of a stage have failed, the last one by ", trials.back().failure));
  }
  ASSIGN_OR_RETURN(const bool audited, AuditNewBest(trials));
  if (audited) return absl::OkStatus();
  switch (stage_.kind) {
    case StageKind::kParents:
      return BeginPhase(0, std::nullopt);
    case StageKind::kGeneration:
      return AdvanceGeneration(trials);
    case StageKind::kSelection:
      return AdvanceSelection();
    case StageKind::kFinal:
      return AdvanceFinal(trials);
  }
  return absl::OkStatus();
}

absl::Status Experiment::UseWinners(int phase, std::optional<int64_t> chosen) {
  PhasePlan& plan = phases_[static_cast<size_t>(phase)];
  if (plan.phases_needed().empty()) return absl::OkStatus();
  std::map<std::string, Recipe> winners;
  for (int earlier = 0; earlier < phase; ++earlier) {
    ASSIGN_OR_RETURN(const std::vector<GenomeRecord> genomes, store_.Genomes(earlier));
    for (const GenomeRecord& genome : genomes) {
      if (genome.chosen || genome.genome == chosen)
        winners[phases_[static_cast<size_t>(earlier)].name()] = genome.recipe;
    }
  }
  for (const std::string& name : plan.phases_needed()) {
    if (!winners.contains(name)) return absl::DataLossError(absl::StrCat("phase \"", name, "\" has no winner"));
  }
  plan.UseWinners(setup_.config, winners);
  return absl::OkStatus();
}

absl::Status Experiment::BeginPhase(int phase, std::optional<int64_t> chosen) {
  RETURN_IF_ERROR(UseWinners(phase, chosen));
  const PhasePlan& plan = phases_[static_cast<size_t>(phase)];
  ASSIGN_OR_RETURN(std::unique_ptr<Optimizer> optimizer, plan.NewOptimizer());
  ASSIGN_OR_RETURN(StageCommit commit, StageBuilder(setup_, store_, stage_.stage + 1).Generation(plan, *optimizer));
  commit.chosen = chosen;
  optimizer_ = std::move(optimizer);
  return BeginStage(commit);
}

absl::Status Experiment::AdvanceGeneration(const std::vector<TrialRecord>& trials) {
  const PhasePlan& plan = phases_[static_cast<size_t>(*stage_.phase)];
  // A commit that failed is tried again, but the optimizer is told once.
  if (optimizer_->generation() == *stage_.generation) {
    RETURN_IF_ERROR(optimizer_->Tell(EvaluationsOf(trials)));
  }
  StageBuilder builder(setup_, store_, stage_.stage + 1);
  if (*stage_.generation + 1 < plan.generations()) {
    ASSIGN_OR_RETURN(const StageCommit commit, builder.Generation(plan, *optimizer_));
    return BeginStage(commit);
  }
  const absl::StatusOr<StageCommit> commit = builder.Selection(plan, *optimizer_);
  if (absl::IsNotFound(commit.status())) return End(ExperimentState::kFailed, Message(commit.status()));
  RETURN_IF_ERROR(commit.status());
  return BeginStage(*commit);
}

absl::Status Experiment::AdvanceSelection() {
  ASSIGN_OR_RETURN(const std::optional<int64_t> winner, store_.BestRescored(*stage_.phase));
  if (!winner.has_value()) return End(ExperimentState::kFailed, "none of the candidates could be scored again");
  const int next = *stage_.phase + 1;
  if (next < static_cast<int>(phases_.size())) return BeginPhase(next, *winner);
  ASSIGN_OR_RETURN(const StageCommit commit, StageBuilder(setup_, store_, stage_.stage + 1).Final(phases_, *winner));
  return BeginStage(commit);
}

// A run without the scores that it was made for is not done; taken up again, it tries what has failed once more.
absl::Status Experiment::AdvanceFinal(const std::vector<TrialRecord>& trials) {
  for (const TrialRecord& trial : trials) {
    if (trial.purpose != Purpose::kTest || !FailedOnWorkers(trial)) continue;
    ASSIGN_OR_RETURN(const std::string name, NameOfTested(trial));
    return End(ExperimentState::kFailed, absl::StrCat("the sealed test of ", name, " failed: ", trial.failure));
  }
  return End(ExperimentState::kDone, "");
}

absl::StatusOr<std::string> Experiment::NameOfTested(const TrialRecord& trial) {
  ASSIGN_OR_RETURN(const GenomeRecord genome, store_.Genome(trial.genome));
  if (!genome.phase.has_value()) return absl::StrCat("model \"", genome.label, "\"");
  const std::string& phase = phases_[static_cast<size_t>(*genome.phase)].name();
  if (genome.chosen) return absl::StrCat("the winner of phase \"", phase, "\"");
  return absl::StrCat("the merge \"", genome.label, "\" of phase \"", phase, "\"");
}

absl::Status Experiment::End(ExperimentState state, const std::string& error) {
  RETURN_IF_ERROR(store_.Finish({state, error}, now_ms()));
  state_ = state;
  error_ = error;
  return absl::OkStatus();
}

}  // namespace heterosis
