// SPDX-License-Identifier: Apache-2.0
// Implements store.h: opening, locking and the writes. The reads are in load.cc, audits and trust in audits.cc.
#include "coordinator/store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include "common/base/failpoint.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/store/checksum.h"
#include "coordinator/store/integrity.h"
#include "coordinator/store/rewind.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/schema.h"

namespace heterosis {

// The coordinator's claim to a database: a file beside it under flock, which the kernel frees however we end. SQLite's
// own locks would not do: they would keep readers out, or not last between transactions.
class Store::Lock {
 public:
  static absl::StatusOr<std::unique_ptr<Lock>> Take(const std::string& database_path) {
    const std::string path = database_path + ".lock";
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return absl::PermissionDeniedError(absl::StrCat(path, ": ", std::strerror(errno)));
    std::unique_ptr<Lock> lock(new Lock(file, path));
    // A child that a killed coordinator was just starting shares its lock until it has become a worker: a moment.
    const auto end = std::chrono::steady_clock::now() + kLockWait;
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (std::chrono::steady_clock::now() >= end) {
        return absl::FailedPreconditionError(absl::StrCat(
            database_path, ": another coordinator is running on this database; stop it first, or choose another --db"));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return lock;
  }
  ~Lock() { close(file_); }

  // Whoever removes or replaces the file lets a second coordinator in: the first to notice ends.
  absl::Status StillHeld() const {
    struct stat ours = {}, there = {};
    if (fstat(file_, &ours) == 0 && stat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev) {
      return absl::OkStatus();
    }
    return absl::FailedPreconditionError(absl::StrCat(
        path_,
        ": was removed or replaced during the run, and another coordinator may have begun to write; nothing that "
        "was acknowledged is lost: see that none is running, and give the same command again"));
  }

 private:
  static constexpr std::chrono::milliseconds kLockWait{3'000};
  Lock(int file, std::string path) : file_(file), path_(std::move(path)) {}
  const int file_;
  const std::string path_;
};

namespace {

// Creates the file with the right mode, which SQLite would not, and returns its path without symbolic links, so that
// the lock's name is the same whatever path led here.
absl::StatusOr<std::string> CreatePrivately(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return absl::NotFoundError(absl::StrCat(path, ": cannot open the database: ", std::strerror(errno)));
  close(file);
  std::error_code error;
  const std::filesystem::path canonical = std::filesystem::canonical(path, error);
  return error ? path : canonical.string();
}

// A database that was copied or restored may be open to others, and SQLite gives the log beside it the same mode.
// Another user's file, given to us to write, keeps its mode.
void MakePrivate(const std::string& path) {
  for (const char* file : {"", "-wal", "-shm"}) (void)!chmod((path + file).c_str(), 0600);
}

absl::Status InsertProblems(Database& database, Split split, const std::vector<Problem>& problems) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO problems (split, sample, question, answer) VALUES (?, ?, ?, ?)"));
  for (size_t i = 0; i < problems.size(); ++i) {
    insert.Bind(Name(split)).Bind(static_cast<int64_t>(i)).Bind(problems[i].question).Bind(problems[i].answer);
    RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

absl::Status InsertGenomes(Database& database, const std::vector<GenomeRecord>& genomes) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO genomes (genome, phase, generation, candidate, origin, label, genes, "
                                    "recipe, recipe_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const GenomeRecord& genome : genomes) {
    insert.Bind(genome.genome).Bind(genome.phase).Bind(genome.generation).Bind(genome.candidate);
    insert.Bind(Name(genome.origin)).Bind(genome.label).Bind(NumbersToText(genome.genes));
    insert.Bind(JsonText(RecipeToJson(genome.recipe))).Bind(genome.recipe_digest);
    RETURN_IF_ERROR(insert.Run());
  }
  return absl::OkStatus();
}

absl::Status InsertShards(Database& database, const TrialRecord& trial) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO shards (trial, shard, state) VALUES (?, ?, 'open')"));
  for (int shard = 0; shard < trial.shards; ++shard) RETURN_IF_ERROR(insert.Bind(trial.trial).Bind(shard).Run());
  return absl::OkStatus();
}

// The genomes of a settled trial, and of those that share its outcome, get it as their fitness. A baseline's scores on
// validation and test are no fitness.
absl::Status SpreadFitness(Database& database, int64_t trial) {
  ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE genomes SET fitness = t.score FROM trials t WHERE t.genome = genomes.genome AND "
                       "(t.trial = ?1 OR t.same_as = ?1) AND t.purpose IN ('search', 'baseline') AND "
                       "t.split = 'search'"));
  return update.Bind(trial).Run();
}

absl::Status InsertTrials(Database& database, const StageCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(
      Statement insert_set,
      database.Prepare("INSERT OR IGNORE INTO sample_sets (sample_set, split, size, samples) VALUES (?, ?, ?, ?)"));
  ASSIGN_OR_RETURN(
      Statement insert,
      database.Prepare("INSERT INTO trials (trial, stage, genome, purpose, split, sample_set, shards, same_as, state, "
                       "failure, total, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  ASSIGN_OR_RETURN(Statement copy,
                   database.Prepare("UPDATE trials SET state = s.state, correct = s.correct, score = s.score, "
                                    "finished_ms = ? FROM trials s WHERE trials.trial = ? AND s.trial = "
                                    "trials.same_as AND s.state = 'done'"));
  for (const TrialRecord& trial : commit.trials) {
    const int64_t total = static_cast<int64_t>(trial.samples.samples.size());
    insert_set.Bind(trial.samples.digest).Bind(Name(trial.samples.split)).Bind(total);
    RETURN_IF_ERROR(insert_set.Bind(NumbersToText(trial.samples.samples)).Run());
    insert.Bind(trial.trial).Bind(commit.stage.stage).Bind(trial.genome).Bind(Name(trial.purpose));
    insert.Bind(Name(trial.samples.split)).Bind(trial.samples.digest).Bind(trial.shards).Bind(trial.same_as);
    insert.Bind(Name(trial.state)).Bind(trial.failure);
    RETURN_IF_ERROR(insert.Bind(total).Bind(now_ms).Run());
    if (trial.state == TrialState::kInfeasible) continue;  // settled as it is
    if (trial.same_as.has_value()) {
      RETURN_IF_ERROR(copy.Bind(now_ms).Bind(trial.trial).Run());
      RETURN_IF_ERROR(SpreadFitness(database, trial.trial));
    } else {
      RETURN_IF_ERROR(InsertShards(database, trial));
    }
  }
  return absl::OkStatus();
}

// Only the newest two snapshots are kept, this one included (DESIGN.md section 6).
absl::Status InsertGeneration(Database& database, const StageCommit& commit) {
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO generations (phase, generation, stage, sample_set, "
                                                      "sigma, snapshot) VALUES (?, ?, ?, ?, ?, ?)"));
  insert.Bind(commit.stage.phase).Bind(commit.stage.generation).Bind(commit.stage.stage);
  insert.Bind(commit.trials.front().samples.digest).Bind(commit.sigma).BindBlob(commit.snapshot);
  RETURN_IF_ERROR(insert.Run());
  return database.Execute(
      "UPDATE generations SET snapshot = NULL WHERE snapshot IS NOT NULL AND stage NOT IN "
      "(SELECT stage FROM generations ORDER BY stage DESC LIMIT 2)");
}

absl::Status CloseStage(Database& database, int64_t now_ms) {
  ASSIGN_OR_RETURN(Statement close,
                   database.Prepare("UPDATE stages SET state = 'done', finished_ms = ? WHERE state = 'open'"));
  return close.Bind(now_ms).Run();
}

// Settles a trial whose outcome is known, with those that share it.
absl::Status SettleFailed(Database& database, const ShardFailure& failure, int64_t now_ms) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE trials SET state = ?, failure = ?, finished_ms = ? "
                                                      "WHERE trial = ?4 OR same_as = ?4"));
  const std::string why = absl::StrCat(std::string(Name(failure.failure)), ": ", failure.message);
  return update.Bind(Name(EndAfter(failure.failure))).Bind(why).Bind(now_ms).Bind(failure.key.trial).Run();
}

// Moves a trial on after a shard: done with its totals when none is open, else running.
absl::Status SettleDone(Database& database, int64_t trial, int64_t now_ms) {
  ASSIGN_OR_RETURN(Statement open, database.Prepare("SELECT count(*) FROM shards WHERE trial = ? AND state = 'open'"));
  ASSIGN_OR_RETURN(const bool row, open.Bind(trial).Step());
  if (row && open.Int(0) > 0) {
    ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE trials SET state = 'running' WHERE trial = ?"));
    return update.Bind(trial).Run();
  }
  ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE trials SET state = 'done', correct = r.correct, score = 1.0 * r.correct / total, "
                       "finished_ms = ?1 FROM (SELECT sum(correct) AS correct FROM results WHERE trial = ?2) r "
                       "WHERE trial = ?2 OR same_as = ?2"));
  RETURN_IF_ERROR(update.Bind(now_ms).Bind(trial).Run());
  return SpreadFitness(database, trial);
}

absl::Status InsertResults(Database& database, const ShardResult& result) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO results (trial, sample, shard, correct, number_ok, language_ok, "
                                    "answer, text, prompt_tokens, new_tokens, finish) "
                                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const SampleResult& sample : result.samples) {
    insert.Bind(result.key.trial).Bind(sample.sample).Bind(result.key.shard);
    insert.Bind(sample.correct).Bind(sample.number_ok).Bind(sample.language_ok);
    insert.Bind(sample.answer).Bind(sample.text).Bind(sample.prompt_tokens).Bind(sample.new_tokens);
    RETURN_IF_ERROR(insert.Bind(Name(sample.finish)).Run());
  }
  return absl::OkStatus();
}

absl::Status MarkSeen(Database& database, std::string_view worker, int64_t now_ms) {
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE workers SET last_seen_ms = ? WHERE worker = ?"));
  return update.Bind(now_ms).Bind(worker).Run();
}

}  // namespace

Store::Store(StoreOptions options, std::unique_ptr<Lock> lock, std::unique_ptr<Database> database)
    : options_(std::move(options)), lock_(std::move(lock)), database_(std::move(database)) {
  database_->set_write_observer([this](const absl::Status& status) { OnWrite(status); });
  database_->set_busy_wait(options_.busy_wait);
}
Store::~Store() = default;

void Store::OnWrite(const absl::Status& status) {
  const bool may_pass = absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
  if (!status.ok() && !may_pass) return;  // whoever called is told
  if (trying_) {
    paused_ = !status.ok();
    return;
  }
  if (trouble_ && status.ok()) LogInfo("writing works again, work goes on");
  if (!trouble_ && !status.ok()) {
    LogError(absl::StrCat("nothing can be written, work is paused until it can: ", Message(status),
                          absl::IsResourceExhausted(status) ? "; free some space on its disk" : ""));
  }
  trouble_ = paused_ = !status.ok();
}

// The page of the experiment's row is written, with what it has: SQLite keeps a page that has been touched for changed.
void Store::TryWriting() {
  if (!paused_) return;
  trying_ = true;
  database_->set_busy_wait(std::chrono::milliseconds(0));
  if (absl::StatusOr<Transaction> transaction = Transaction::Begin(*database_); transaction.ok()) {
    const absl::Status touched =
        database_->Execute("UPDATE experiment SET epoch = epoch + 1; UPDATE experiment SET epoch = epoch - 1");
    if (touched.ok()) (void)transaction->Commit();
  }
  database_->set_busy_wait(options_.busy_wait);
  trying_ = false;
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options) {
  ASSIGN_OR_RETURN(const std::string path, CreatePrivately(options.path));
  ASSIGN_OR_RETURN(std::unique_ptr<Lock> lock, Lock::Take(path));
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path, Database::Mode::kReadWriteCreate));
  RETURN_IF_ERROR(CheckOurs(*database, Migrations()));  // before anything of a stranger's file is changed
  MakePrivate(path);
  RETURN_IF_ERROR(database->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
  RETURN_IF_ERROR(database->RewriteLog());
  RETURN_IF_ERROR(Migrate(*database, Migrations()));
  RETURN_IF_ERROR(AddIntactViews(*database));
  RETURN_IF_ERROR(KeepChecksums(*database));
  RETURN_IF_ERROR(CheckIntegrity(*database));
  return std::unique_ptr<Store>(new Store(std::move(options), std::move(lock), std::move(database)));
}

absl::Status Store::Commit(Transaction& transaction, std::string_view what) {
  const std::string before = absl::StrCat("before ", std::string(what)),
                    after = absl::StrCat("after ", std::string(what));
  if (options_.commit_hook) RETURN_IF_ERROR(options_.commit_hook(before));
  Failpoint(before);
  RETURN_IF_ERROR(lock_->StillHeld());
  RETURN_IF_ERROR(transaction.Commit());
  Failpoint(after);
  if (options_.commit_hook) RETURN_IF_ERROR(options_.commit_hook(after));
  return absl::OkStatus();
}

absl::Status Store::CreateExperiment(const ExperimentRecord& experiment, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  ASSIGN_OR_RETURN(Statement insert,
                   database_->Prepare("INSERT INTO experiment (id, name, config, seed, run_id, state, created_ms) "
                                      "VALUES (1, ?, ?, ?, coalesce(nullif(?, ''), lower(hex(randomblob(16)))), "
                                      "'running', ?)"));
  insert.Bind(experiment.name).Bind(experiment.config).Bind(absl::StrCat(experiment.seed)).Bind(experiment.run_id);
  RETURN_IF_ERROR(insert.Bind(now_ms).Run());
  ASSIGN_OR_RETURN(Statement model, database_->Prepare("INSERT INTO models (name, digest, role) VALUES (?, ?, ?)"));
  for (const ModelRecord& record : experiment.models) {
    RETURN_IF_ERROR(model.Bind(record.name).Bind(record.digest).Bind(record.role).Run());
  }
  ASSIGN_OR_RETURN(Statement phase,
                   database_->Prepare(
                       "INSERT INTO phases (phase, name, dimension, population, generations) VALUES (?, ?, ?, ?, ?)"));
  for (const PhaseRecord& record : experiment.phases) {
    phase.Bind(record.phase).Bind(record.name).Bind(record.dimension).Bind(record.population).Bind(record.generations);
    RETURN_IF_ERROR(phase.Run());
  }
  RETURN_IF_ERROR(InsertProblems(*database_, Split::kSearch, experiment.search));
  RETURN_IF_ERROR(InsertProblems(*database_, Split::kValidation, experiment.validation));
  RETURN_IF_ERROR(InsertProblems(*database_, Split::kTest, experiment.test));
  return Commit(transaction, "experiment");
}

absl::StatusOr<int> Store::BeginEpoch(int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(database_->Execute("UPDATE experiment SET epoch = epoch + 1"));
  ASSIGN_OR_RETURN(const int64_t epoch, database_->Number("SELECT epoch FROM experiment"));
  ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO starts (epoch, time_ms) VALUES (?, ?)"));
  RETURN_IF_ERROR(insert.Bind(epoch).Bind(now_ms).Run());
  RETURN_IF_ERROR(Commit(transaction, "epoch"));
  return static_cast<int>(epoch);
}

absl::Status Store::CommitStage(const StageCommit& commit, int64_t now_ms) {
  if (commit.stage.kind == StageKind::kGeneration && commit.trials.empty()) {
    return absl::InvalidArgumentError("a generation without trials");
  }
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  if (commit.chosen.has_value()) {
    ASSIGN_OR_RETURN(Statement mark, database_->Prepare("UPDATE genomes SET chosen = 1 WHERE genome = ?"));
    RETURN_IF_ERROR(mark.Bind(*commit.chosen).Run());
  }
  RETURN_IF_ERROR(CloseStage(*database_, now_ms));
  ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO stages (stage, kind, phase, generation, state, "
                                                        "created_ms) VALUES (?, ?, ?, ?, 'open', ?)"));
  insert.Bind(commit.stage.stage).Bind(Name(commit.stage.kind)).Bind(commit.stage.phase);
  RETURN_IF_ERROR(insert.Bind(commit.stage.generation).Bind(now_ms).Run());
  RETURN_IF_ERROR(InsertGenomes(*database_, commit.genomes));
  RETURN_IF_ERROR(InsertTrials(*database_, commit, now_ms));
  if (commit.stage.kind == StageKind::kGeneration) RETURN_IF_ERROR(InsertGeneration(*database_, commit));
  ASSIGN_OR_RETURN(const std::vector<int64_t> known, UseKept(*database_, commit.stage.stage));
  for (const int64_t trial : known) RETURN_IF_ERROR(SettleDone(*database_, trial, now_ms));
  return Commit(transaction, "stage");
}

absl::Status Store::CommitShard(const ShardCommit& commit, int64_t now_ms) {
  const ShardResult& result = commit.result;
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  ASSIGN_OR_RETURN(
      Statement update,
      database_->Prepare("UPDATE shards SET state = 'done', attempt = ?, worker = ?, merge_seconds = ?, "
                         "decode_seconds = ?, finished_ms = ? "
                         "WHERE trial = ? AND shard = ? AND state = 'open' AND EXISTS (SELECT 1 FROM trials t WHERE "
                         "t.trial = shards.trial AND t.state IN ('pending', 'running')) RETURNING shard"));
  update.Bind(result.key.attempt).Bind(commit.worker).Bind(result.merge_seconds).Bind(result.decode_seconds);
  ASSIGN_OR_RETURN(const bool was_open, update.Bind(now_ms).Bind(result.key.trial).Bind(result.key.shard).Step());
  update.Reset();
  if (!was_open) {
    return absl::FailedPreconditionError(
        absl::StrCat("shard ", result.key.shard, " of trial ", result.key.trial, " is not open"));
  }
  RETURN_IF_ERROR(InsertResults(*database_, result));
  if (commit.audit_due) {
    RETURN_IF_ERROR(WriteAudit(*database_, {.trial = result.key.trial, .shard = result.key.shard}, now_ms));
  }
  RETURN_IF_ERROR(SettleDone(*database_, result.key.trial, now_ms));
  RETURN_IF_ERROR(MarkSeen(*database_, commit.worker, now_ms));
  return Commit(transaction, "shard");
}

absl::Status Store::CommitFailure(const FailureCommit& commit, int64_t now_ms) {
  const ShardFailure& failure = commit.failure;
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO failures (trial, shard, attempt, worker, class, "
                                                        "message, time_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(failure.key.trial).Bind(failure.key.shard).Bind(failure.key.attempt).Bind(commit.worker);
  RETURN_IF_ERROR(insert.Bind(Name(failure.failure)).Bind(failure.message).Bind(now_ms).Run());
  if (commit.trial_failed) RETURN_IF_ERROR(SettleFailed(*database_, failure, now_ms));
  return Commit(transaction, "failure");
}

absl::Status Store::CommitWorker(const WorkerRecord& worker, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  ASSIGN_OR_RETURN(
      Statement insert,
      database_->Prepare(
          "INSERT INTO workers (worker, name, device, first_seen_ms, last_seen_ms) VALUES (?1, ?2, ?3, ?4, ?4) "
          "ON CONFLICT (worker) DO UPDATE SET name = ?2, device = ?3, "
          "last_seen_ms = ?4"));
  RETURN_IF_ERROR(insert.Bind(worker.session).Bind(worker.name).Bind(worker.device).Bind(now_ms).Run());
  return Commit(transaction, "worker");
}

absl::Status Store::Finish(const FinishCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(CloseStage(*database_, now_ms));
  if (commit.state == ExperimentState::kDone) RETURN_IF_ERROR(database_->Execute("DELETE FROM kept_shards"));
  ASSIGN_OR_RETURN(Statement update, database_->Prepare("UPDATE experiment SET state = ?, error = ?, finished_ms = ?"));
  RETURN_IF_ERROR(update.Bind(Name(commit.state)).Bind(commit.error).Bind(now_ms).Run());
  return Commit(transaction, "finish");
}

absl::Status Store::Reopen() {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  // The trials that FailedOnWorkers holds of.
  const std::string failed =
      "stage = (SELECT max(stage) FROM stages) AND (state = 'failed' OR (state = 'infeasible' AND (shards > 0 OR "
      "same_as IS NOT NULL)))";
  RETURN_IF_ERROR(database_->Execute(absl::StrCat(
      "UPDATE failures SET forgiven = 1 WHERE trial IN (SELECT trial FROM trials WHERE ", failed,
      "); UPDATE trials SET state = 'pending', failure = '', finished_ms = NULL WHERE ", failed,
      "; UPDATE stages SET state = 'open', finished_ms = NULL WHERE stage = (SELECT max(stage) FROM stages);"
      "UPDATE experiment SET state = 'running', error = '', finished_ms = NULL")));
  return Commit(transaction, "reopen");
}

}  // namespace heterosis
