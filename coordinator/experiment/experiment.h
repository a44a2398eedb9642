// SPDX-License-Identifier: Apache-2.0
// The state machine of a run: parents, generations, selection, sealed test. Ties optimizer, scheduler and store
// together and decides what is evaluated next. No I/O but the store's.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/trial/canary.h"
#include "common/trial/trial.h"
#include "coordinator/experiment/canary_book.h"
#include "coordinator/experiment/phase_plan.h"
#include "coordinator/experiment/progress.h"
#include "coordinator/experiment/setup.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/scheduler/agreement.h"
#include "coordinator/scheduler/scheduler.h"
#include "coordinator/scheduler/trust.h"
#include "coordinator/store/store.h"

namespace heterosis {

// Thread-compatible: the service layer holds one lock over it. `worker` is the session that the service gave a worker.
//
// Every call validates, commits to the store, applies in memory, and only then answers. An error of a call means that
// the store could not write (disk full) or that the caller is wrong (InvalidArgument); nothing was applied then, and
// the same call may be made again. When the last trial of a stage is final, the next stage is prepared and committed in
// the same call; should that commit fail, the next Lease or Tick tries it again.
class Experiment {
 public:
  // Starts the experiment in an empty store or resumes the one it holds. FailedPrecondition when it holds another one:
  // the message names what differs in the config, the models or the problems. One that had failed is taken up again
  // with its failed trials. `store` and `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<Experiment>> Open(ExperimentSetup setup, Store& store, const Clock& clock);
  ~Experiment();

  const std::string& name() const { return record_.name; }
  const std::string& run_id() const { return run_id_; }                      // ExperimentRecord::run_id
  const std::vector<ModelRecord>& models() const { return record_.models; }  // with digests, in the order of the config

  // Notes who a session is, for the database. May be repeated.
  absl::Status RegisterWorker(const WorkerRecord& worker);

  // One shard for this worker, or nullopt: nothing to do now (see finished()).
  absl::StatusOr<std::optional<ShardWork>> Lease(const std::string& worker);
  // Returns those of `holding` that the worker should drop.
  std::vector<ShardKey> Heartbeat(const std::string& worker, const std::vector<ShardKey>& holding);
  // Whether the report counted; false for a repeated or late one. InvalidArgument when the results are not those of the
  // shard's samples.
  absl::StatusOr<bool> Report(const std::string& worker, const ShardResult& result);
  absl::StatusOr<bool> ReportFailure(const std::string& worker, const ShardFailure& failure);

  // Canaries. The worker has met an error that makes it doubt its device: it gets one next, which does not vouch for
  // what the worker did before the error.
  void DoubtDevice(const std::string& worker);
  // The canary that this worker is to answer before it gets a shard, the same until it has; nullopt: none.
  std::optional<CanaryWork> CanaryFor(const std::string& worker);
  // Whether it was asked for. InvalidArgument when it has not one answer per problem.
  absl::StatusOr<bool> ReportCanary(const std::string& worker, CanaryResult result);

  // The worker has said goodbye or its connection is gone: its shard is free at once.
  absl::Status WorkerLost(const std::string& worker);
  // Why the worker gets no more work: it reported failures of class kInvalid, or is quarantined. Empty: it gets some.
  std::string WhyBarred(const std::string& worker) const;

  // Whether an error of a call is trouble of the machine that may pass, such as a full disk. Others would come again
  // and again.
  static bool MayPass(const absl::Status& error) {
    return absl::IsResourceExhausted(error) || absl::IsUnavailable(error);
  }

  // Takes back the leases of silent workers, and gives up audits that nobody can do; while the store is paused, tries
  // now and then whether it can write again. Call about once a second.
  absl::Status Tick();

  // Shards that a worker could have now.
  int shards_waiting() const { return std::max(0, scheduler_->open_shards() - scheduler_->leased_shards()); }
  Progress progress() const;
  // Done or failed: there will be no more work.
  bool finished() const { return state_ != ExperimentState::kRunning; }
  ExperimentState state() const { return state_; }
  const std::string& error() const { return error_; }  // why it failed

 private:
  // A trial of the running stage that has shards without a result.
  struct OpenTrial {
    Recipe recipe;
    SampleSet samples;
    int shards_open = 0;
    int sharers = 0;  // other trials of the stage that get the same outcome
  };

  Experiment(ExperimentSetup setup, std::vector<PhasePlan> phases, Store& store, const Clock& clock);

  // experiment.cc: the stage that runs.
  // The samples of one shard, as a slice [begin, end) of the trial's.
  std::pair<size_t, size_t> SliceOf(int shard, size_t sample_count) const;
  ShardWork WorkOf(const ShardKey& key) const;
  absl::Status CheckResult(const ShardResult& result) const;
  absl::Status Fail(const std::string& worker, const ShardFailure& failure);
  void Settle(int64_t trial, bool done);
  void CloseTrial(int64_t trial);  // once nothing of it is to be done, results and audits
  void TellUnlessPaused(const absl::Status& status) const;
  // For the database: the wall clock when the experiment was opened, and what has passed since. However the wall clock
  // jumps, no time lies before an earlier one.
  int64_t now_ms() const { return opened_ms_ + (clock_.Monotonic() - opened_).count(); }

  // audit.cc: whose results are believed.
  // Whether a worker of another name than `name` that is there, or about to come back, satisfies `wanted`.
  bool AnyoneBut(const std::string& name, const std::function<bool(const std::string&)>& wanted) const;
  bool ReplicationIsOn(const std::string& name) const;
  absl::StatusOr<bool> AuditDue(const std::string& name, const ShardKey& key);
  absl::Status OpenForAudits(const std::vector<AuditRecord>& audits);
  absl::StatusOr<bool> ReportAudit(const std::string& worker, const ShardResult& result);
  absl::Status CompareOutrun(const std::string& worker, const ShardResult& result);
  // The counted answer to the shard, then the others so far.
  absl::StatusOr<std::vector<Answer>> AnswersTo(const ShardKey& key);
  absl::Status SettleAudit(const ShardKey& key, const std::vector<Answer>& answers, const Ruling& ruling);
  absl::Status Quarantine(const ShardKey& key, const std::vector<Answer>& answers, const Ruling& ruling);
  absl::Status Rewind(const RewindCommit& commit);
  absl::Status GiveUpHopelessAudits();
  absl::Status GiveUp(int64_t trial, int shard);
  // Whether the stage has a new best whose shards are audited now, before it counts.
  absl::StatusOr<bool> AuditNewBest(const std::vector<TrialRecord>& trials);
  absl::StatusOr<std::optional<int64_t>> NewBest(const std::vector<TrialRecord>& trials);
  absl::Status LoadTrust();
  void Believe(const std::vector<TrustRecord>& trust);
  TrustRecord Agreed(const std::string& name) const;

  // canary.cc: who still computes rightly.
  struct SessionCanary {
    bool due = true;     // before the first shard
    int64_t number = 0;  // of the one that it was asked for; 0: none
    int shards = 0;      // reported since the last one
    int failures = 0;    // in a row
    int64_t vouches_since_ms = -1;
  };
  CanaryWork TheCanary() const;
  CanaryTolerance Tolerance() const;
  bool CanariesAreOn(const std::string& name) const;
  void CountShard(const std::string& worker);
  CanaryCommit CommitOf(const std::string& worker, const CanaryRecord& record) const;
  absl::Status Commit(const std::string& worker, const CanaryRuling& ruling, CanaryBook book);
  absl::Status Quarantine(const std::string& worker, const CanaryRuling& ruling);
  absl::StatusOr<bool> ReportFailedCanary(const std::string& worker, SessionCanary& session,
                                          const CanaryResult& result);
  absl::Status LoadCanaries();

  // advance.cc: from one stage to the next.
  absl::Status Resume();
  // Takes over what the store has, as a start does, after a rewind.
  absl::Status Reload();
  absl::Status LoadStage();
  absl::StatusOr<std::unique_ptr<Optimizer>> OptimizerOf(int phase, int generation);
  // When every trial of the stage is final: prepares the next stage and commits it. Without effect otherwise, and when
  // called again after an error.
  absl::Status AdvanceIfDue();
  absl::Status Advance();
  absl::Status AdvanceGeneration(const std::vector<TrialRecord>& trials);
  absl::Status AdvanceSelection();
  absl::Status AdvanceFinal(const std::vector<TrialRecord>& trials);
  absl::Status BeginPhase(int phase, std::optional<int64_t> chosen);
  // Gives a phase the recipes of the earlier phases' winners that it builds on; `chosen` won the phase before it, and
  // may not be marked yet.
  absl::Status UseWinners(int phase, std::optional<int64_t> chosen);
  absl::Status BeginStage(const StageCommit& commit);
  absl::StatusOr<bool> AdoptIfCommitted();
  absl::Status End(ExperimentState state, const std::string& error);
  // Takes over a stage that is in the store.
  absl::Status Adopt(const StageRecord& stage, const std::vector<TrialRecord>& trials);
  absl::Status LoadFitness();
  // What the sealed test of a trial is called in an error.
  absl::StatusOr<std::string> NameOfTested(const TrialRecord& trial);

  const ExperimentSetup setup_;
  std::vector<PhasePlan> phases_;
  const ExperimentRecord record_;  // as it is now; what is stored may differ in paths and the like
  std::string run_id_;
  Store& store_;
  const Clock& clock_;
  std::unique_ptr<Scheduler> scheduler_;
  const Clock::Duration opened_;
  int64_t opened_ms_;
  Clock::Duration next_try_{0};  // to write, while the store is paused
  int epoch_ = 1;
  ExperimentState state_ = ExperimentState::kRunning;
  std::string error_;

  StageRecord stage_;
  std::map<int64_t, OpenTrial> open_;     // by trial
  int trials_total_ = 0;                  // of this stage
  std::unique_ptr<Optimizer> optimizer_;  // of the phase of this stage; it has been told all earlier generations

  TrustBook trust_;
  std::map<std::pair<int64_t, int>, std::vector<Answer>> disputes_;  // answers to audited shards that differ
  std::map<std::pair<int64_t, int>, Clock::Duration> hopeless_;      // audits that nobody can do, since when
  // After a start in a stage that has all its results: the names of who computed them. They count as there: a death
  // between the last result and the audit of the stage's new best does not spare it the audit.
  std::set<std::string> returning_;
  CanaryBook canaries_;
  std::map<std::string, SessionCanary> session_canaries_;
  int64_t last_canary_number_ = 0;  // of this start
  bool reload_due_ = false;         // a rewind may have been committed that is not taken over yet

  // For progress() only.
  FitnessSummary fitness_;  // of the phase so far
  int64_t samples_total_ = 0, samples_done_ = 0, samples_before_ = 0;
  std::optional<Clock::Duration> first_lease_;
  std::map<std::string, std::string> worker_names_;  // session -> the name for people
};

}  // namespace heterosis
