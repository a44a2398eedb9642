// SPDX-License-Identifier: Apache-2.0
// The trial database (SQLite, WAL, synchronous=FULL): every durable byte of a coordinator. One writer; readers such as
// `coordinator best` and sqlite3 may look at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/store/records.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

struct StoreOptions {
  std::string path;
  // Called right before and right after each COMMIT ("before stage", "after shard", ...); an error ends the call there,
  // with nothing or everything written. For tests of crashes.
  std::function<absl::Status(std::string_view point)> commit_hook;
  // How long a write waits for another program that holds the database, before it fails.
  std::chrono::milliseconds busy_wait{2'000};
};

// Thread-compatible. Every write is one transaction and on disk when the call returns OK; after an error nothing was
// written, unless SQLite says otherwise in the message. Times are milliseconds since 1970 (Clock::Wall).
class Store {
 public:
  // Opens or creates the database (mode 0600, also of one that was open to others) and locks it (PATH.lock) against a
  // second coordinator. Refuses: a file that is no database of ours or is damaged in any row (integrity.h), a newer
  // schema, a database in use. An older schema is migrated.
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Whether a write has failed for a reason that may pass (a full disk, another program's lock), and none has worked
  // since. Nothing new should be begun then; what was not acknowledged may be written again at any time. Says so in
  // the log: one line when it begins, one when the first write works again, however often it is tried between.
  bool paused() const { return paused_; }
  // Tries to write a page where paused; changes nothing. Call about once a second.
  void TryWriting();

  // False for a database that was just created.
  absl::StatusOr<bool> HasExperiment();
  absl::Status CreateExperiment(const ExperimentRecord& experiment, int64_t now_ms);
  absl::StatusOr<ExperimentRecord> LoadExperiment();
  // Counts a start of the coordinator and returns its number, from 1.
  absl::StatusOr<int> BeginEpoch(int64_t now_ms);

  absl::Status CommitStage(const StageCommit& commit, int64_t now_ms);  // W1, W3
  absl::Status CommitShard(const ShardCommit& commit, int64_t now_ms);  // W2
  absl::Status CommitFailure(const FailureCommit& commit, int64_t now_ms);
  absl::Status CommitWorker(const WorkerRecord& worker, int64_t now_ms);
  absl::Status Finish(const FinishCommit& commit, int64_t now_ms);

  // Audits and trust (audits.cc), and taking results back (rewind.cc).
  absl::Status CommitAudit(const AuditCommit& commit, int64_t now_ms);  // a new one, or another state of one
  // Has the shards of a trial that no other worker vouches for and that never had an audit audited; returns them.
  absl::StatusOr<std::vector<AuditRecord>> AuditTrial(int64_t trial, int64_t now_ms);
  absl::StatusOr<std::vector<AuditRecord>> DueAudits();
  // The workers whose results count in the stage.
  absl::StatusOr<std::set<std::string>> NamesIn(int stage);
  absl::StatusOr<bool> WasUndecided(int64_t trial, int shard);      // an audit of it ended so
  absl::StatusOr<CountedAnswer> Counted(int64_t trial, int shard);  // NOT_FOUND where it has no result
  absl::StatusOr<std::vector<TrustRecord>> Trust();
  absl::Status CommitCanary(const CanaryCommit& commit, int64_t now_ms);
  absl::StatusOr<std::vector<CanaryRecord>> Canaries();  // in the order of their ids
  absl::StatusOr<RewindSummary> Rewind(const RewindCommit& commit, int64_t now_ms);
  absl::StatusOr<int> Epoch();
  absl::StatusOr<int> OldestEpoch();  // the first one whose attempts count

  // Takes a failed experiment up again: running, its last stage open, the trials of that stage that failed on workers
  // pending with their failures forgiven.
  absl::Status Reopen();

  absl::StatusOr<FinishCommit> State();
  absl::StatusOr<std::optional<StageRecord>> LastStage();      // the open one, or the last before the end
  absl::StatusOr<std::vector<TrialRecord>> Trials(int stage);  // in the order of their ids
  absl::StatusOr<std::vector<GenomeRecord>> Genomes(std::optional<int> phase);  // of a phase; nullopt: the parents
  absl::StatusOr<GenomeRecord> Genome(int64_t genome);
  // The genomes of a phase with the best fitness, best first, ties by the earlier one, each recipe once.
  absl::StatusOr<std::vector<int64_t>> TopGenomes(int phase, int count);
  // The candidate of a generation with the best fitness, the earliest of equals; nullopt where none has one.
  absl::StatusOr<std::optional<int64_t>> BestOfGeneration(int phase, int generation);
  // The genome of a phase with the best score among those that were scored again, of equals the one scored first.
  absl::StatusOr<std::optional<int64_t>> BestRescored(int phase);
  absl::StatusOr<FitnessSummary> Fitness(int phase, int generation);
  absl::StatusOr<std::vector<UnfinishedTrial>> UnfinishedTrials();
  absl::StatusOr<std::string> Snapshot(int phase, int generation);  // NOT_FOUND when it is gone
  absl::StatusOr<TrialRecord> Trial(int64_t trial);
  absl::StatusOr<int> StageOf(int phase, int generation);
  // The best fitness in the generations of a phase before this one.
  absl::StatusOr<std::optional<double>> BestFitnessBefore(int phase, int generation);
  // A done trial of this recipe on these samples, if there is one.
  absl::StatusOr<std::optional<int64_t>> FindDone(std::string_view recipe_digest, std::string_view samples_digest);
  absl::StatusOr<int64_t> LastTrialId();   // 0 when there is none
  absl::StatusOr<int64_t> LastGenomeId();  // 0 when there is none
  absl::StatusOr<int64_t> SamplesDone();   // scored so far, over all trials
  absl::StatusOr<int64_t> NewestTime();    // of all times in the database; 0 when there is none

 private:
  class Lock;
  Store(StoreOptions options, std::unique_ptr<Lock> lock, std::unique_ptr<Database> database);
  absl::Status Commit(Transaction& transaction, std::string_view what);
  void OnWrite(const absl::Status& status);

  const StoreOptions options_;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<Database> database_;
  bool trouble_ = false;  // told in the log
  bool paused_ = false;
  bool trying_ = false;  // within TryWriting
};

}  // namespace heterosis
