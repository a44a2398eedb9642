// SPDX-License-Identifier: Apache-2.0
// Implements reader.h over the views of schema.cc.
#include "coordinator/store/reader.h"

#include <cstdlib>
#include <set>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "coordinator/store/checksum.h"
#include "coordinator/store/integrity.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/schema.h"

namespace heterosis {
namespace {

absl::StatusOr<int> CountProblems(Database& database, Split split) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare("SELECT count(*) FROM problems WHERE split = ?"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(Name(split)).Step());
  return found ? static_cast<int>(row.Int(0)) : 0;
}

absl::Status CountTrials(Database& database, ExperimentSummary& summary) {
  ASSIGN_OR_RETURN(Statement row,
                   database.Prepare("SELECT count(*), count(*) FILTER (WHERE state = 'failed'), count(*) "
                                    "FILTER (WHERE state = 'infeasible') FROM trials"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::OkStatus();
  summary.trials = static_cast<int>(row.Int(0));
  summary.failed = static_cast<int>(row.Int(1));
  summary.infeasible = static_cast<int>(row.Int(2));
  return absl::OkStatus();
}

absl::StatusOr<BestRow> BestFromRow(const Statement& row) {
  BestRow best;
  best.trial = row.Int(0);
  best.genome_id = row.Int(1);
  best.phase = row.Text(2);
  best.generation = static_cast<int>(row.Int(3));
  best.candidate = static_cast<int>(row.Int(4));
  ASSIGN_OR_RETURN(best.origin, OriginFromName(row.Text(5)));
  best.label = row.Text(6);
  best.fitness = row.OptionalDouble(7);
  best.scores = {row.OptionalDouble(8), row.OptionalDouble(9), row.OptionalDouble(10)};
  best.chosen = row.Int(11) != 0;
  ASSIGN_OR_RETURN(best.genome, DoublesFromText(row.Text(12)));
  ASSIGN_OR_RETURN(best.recipe, RecipeFromText(row.Text(13)));
  return best;
}

// Follow with a WHERE, an ORDER BY (without one: the view's) or a LIMIT. Columns: those of BestFromRow.
constexpr char kSelectBest[] =
    "SELECT trial, genome, phase, generation, candidate, origin, label, fitness, search, validation, test, chosen, "
    "genes, recipe FROM best_genomes ";

absl::StatusOr<std::vector<BestRow>> BestFromRows(Statement& rows) {
  std::vector<BestRow> best;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return best;
    ASSIGN_OR_RETURN(BestRow row, BestFromRow(rows));
    best.push_back(std::move(row));
  }
}

absl::StatusOr<std::vector<ShardRow>> ReadShards(Database& database, int64_t trial) {
  ASSIGN_OR_RETURN(Statement rows,
                   database.Prepare("SELECT s.shard, s.state, coalesce(w.name, ''), s.attempt, s.merge_seconds, "
                                    "s.decode_seconds FROM intact_shards s LEFT JOIN workers w ON w.worker = s.worker "
                                    "WHERE s.trial = ? ORDER BY s.shard"));
  rows.Bind(trial);
  std::vector<ShardRow> shards;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return shards;
    ShardRow shard{static_cast<int>(rows.Int(0)), rows.Text(1),          rows.Text(2), std::nullopt,
                   rows.OptionalDouble(4),        rows.OptionalDouble(5)};
    if (!rows.IsNull(3)) shard.attempt = static_cast<int>(rows.Int(3));
    shards.push_back(std::move(shard));
  }
}

// Fills results and the problems that they answer.
absl::Status ReadResults(Database& database, int64_t trial, TrialDetails& details) {
  ASSIGN_OR_RETURN(Statement rows,
                   database.Prepare(absl::StrCat("SELECT ", kResultColumns,
                                                 ", p.question, p.answer FROM intact_results r "
                                                 "JOIN trials t ON t.trial = r.trial "
                                                 "JOIN intact_problems p ON p.split = t.split AND p.sample = r.sample "
                                                 "WHERE r.trial = ? ORDER BY r.sample")));
  rows.Bind(trial);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    ASSIGN_OR_RETURN(SampleResult result, ResultFromRow(rows));
    details.results.push_back(std::move(result));
    details.problems.push_back({rows.Text(9), rows.Text(10)});
  }
}

absl::StatusOr<std::vector<FailureRow>> ReadFailures(Database& database, int64_t trial) {
  ASSIGN_OR_RETURN(Statement rows,
                   database.Prepare("SELECT f.shard, f.attempt, w.name, f.class, f.message FROM failures f "
                                    "JOIN workers w ON w.worker = f.worker "
                                    "WHERE f.trial = ? ORDER BY f.failure"));
  rows.Bind(trial);
  std::vector<FailureRow> failures;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return failures;
    failures.push_back(
        {static_cast<int>(rows.Int(0)), static_cast<int>(rows.Int(1)), rows.Text(2), rows.Text(3), rows.Text(4)});
  }
}

// Columns: those of StoreReader::Failed.
absl::StatusOr<FailedRow> FailedFromRow(const Statement& row) {
  FailedRow failed;
  failed.trial = row.Int(0);
  failed.phase = row.Text(1);
  if (!row.IsNull(2)) failed.generation = static_cast<int>(row.Int(2));
  ASSIGN_OR_RETURN(failed.origin, OriginFromName(row.Text(3)));
  failed.label = row.Text(4);
  ASSIGN_OR_RETURN(failed.purpose, PurposeFromName(row.Text(5)));
  ASSIGN_OR_RETURN(failed.state, TrialStateFromName(row.Text(6)));
  failed.message = row.Text(7);
  // "class: message" where workers tried it, else the reason alone.
  const size_t colon = failed.message.find(": ");
  if (colon != std::string::npos && FailureClassFromName(failed.message.substr(0, colon)).ok()) {
    failed.failure = failed.message.substr(0, colon);
    failed.message.erase(0, colon + 2);
  }
  failed.attempts = static_cast<int>(row.Int(8));
  ASSIGN_OR_RETURN(const Json workers, ParseJson(row.Text(9)));
  for (const Json& worker : workers) failed.workers.push_back(worker.get<std::string>());
  return failed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StoreReader>> StoreReader::Open(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<StoreReader> reader, OpenUnchecked(path));
  ASSIGN_OR_RETURN(const Transaction transaction, Transaction::BeginRead(*reader->database_));
  RETURN_IF_ERROR(CheckSummaries(*reader->database_));
  return reader;
}

absl::StatusOr<std::unique_ptr<StoreReader>> StoreReader::OpenUnchecked(const std::string& path) {
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such database; name the one of a run with --db"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path, Database::Mode::kReadOnly));
  RETURN_IF_ERROR(CheckOurs(*database, Migrations()));
  ASSIGN_OR_RETURN(const int64_t version, database->Number("PRAGMA user_version"));
  if (version == 0) return absl::FailedPreconditionError(absl::StrCat(path, ": empty; the run has not begun yet"));
  if (version < kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": written by an older Heterosis (schema ", version,
                     "): start `coordinator --db` on it once, which brings it up to date"));
  }
  ASSIGN_OR_RETURN(const int64_t count, database->Number("SELECT count(*) FROM experiment"));
  if (count == 0) return absl::FailedPreconditionError(absl::StrCat(path, ": holds no experiment yet"));
  RETURN_IF_ERROR(AddIntactViews(*database));
  return std::unique_ptr<StoreReader>(new StoreReader(std::move(database)));
}

absl::StatusOr<ExperimentSummary> StoreReader::Experiment() {
  ASSIGN_OR_RETURN(const Transaction transaction, Transaction::BeginRead(*database_));
  ASSIGN_OR_RETURN(Statement row, database_->Prepare("SELECT name, state, error, config, seed, created_ms, finished_ms "
                                                     "FROM experiment"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::NotFoundError(absl::StrCat(database_->path(), ": holds no experiment"));
  ExperimentSummary summary;
  summary.name = row.Text(0);
  ASSIGN_OR_RETURN(summary.state, ExperimentStateFromName(row.Text(1)));
  summary.error = row.Text(2);
  summary.config = row.Text(3);
  summary.seed = std::strtoull(row.Text(4).c_str(), nullptr, 10);
  summary.created_ms = row.Int(5);
  summary.finished_ms = row.OptionalInt(6);
  ASSIGN_OR_RETURN(summary.models, ReadModels(*database_));
  ASSIGN_OR_RETURN(summary.phases, ReadPhases(*database_));
  RETURN_IF_ERROR(CountTrials(*database_, summary));
  ASSIGN_OR_RETURN(summary.search_size, CountProblems(*database_, Split::kSearch));
  ASSIGN_OR_RETURN(summary.validation_size, CountProblems(*database_, Split::kValidation));
  ASSIGN_OR_RETURN(summary.test_size, CountProblems(*database_, Split::kTest));
  return summary;
}

absl::StatusOr<std::vector<ParentRow>> StoreReader::Parents() {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT name, trial, search, validation, test FROM parent_scores"));
  std::vector<ParentRow> parents;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return parents;
    parents.push_back(
        {rows.Text(0), rows.Int(1), {rows.OptionalDouble(2), rows.OptionalDouble(3), rows.OptionalDouble(4)}});
  }
}

absl::StatusOr<std::vector<BestRow>> StoreReader::Best(int limit) {
  ASSIGN_OR_RETURN(Statement rows, database_->Prepare(absl::StrCat(kSelectBest, "LIMIT ?")));
  rows.Bind(limit);
  return BestFromRows(rows);
}

absl::StatusOr<std::vector<BestRow>> StoreReader::Baselines() {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare(absl::StrCat(kSelectBest,
                                                   "WHERE (origin = 'injected' AND label = 'uniform') OR "
                                                   "(origin = 'mean' AND generation = 0) ORDER BY genome")));
  ASSIGN_OR_RETURN(std::vector<BestRow> baselines, BestFromRows(rows));
  std::set<std::string> seen;
  std::erase_if(baselines, [&](const BestRow& row) { return !seen.insert(RecipeDigest(row.recipe)).second; });
  return baselines;
}

absl::StatusOr<std::vector<GenerationRow>> StoreReader::Generations() {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT phase, generation, state, trials, done, failed, best, mean, "
                                      "best_so_far, sigma, started_ms, finished_ms "
                                      "FROM generation_progress"));
  std::vector<GenerationRow> generations;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return generations;
    generations.push_back({rows.Text(0), static_cast<int>(rows.Int(1)), rows.Text(2), static_cast<int>(rows.Int(3)),
                           static_cast<int>(rows.Int(4)), static_cast<int>(rows.Int(5)), rows.OptionalDouble(6),
                           rows.OptionalDouble(7), rows.OptionalDouble(8), rows.OptionalDouble(9), rows.Int(10),
                           rows.OptionalInt(11)});
  }
}

absl::StatusOr<std::vector<WorkerRow>> StoreReader::Workers() {
  ASSIGN_OR_RETURN(Statement rows, database_->Prepare("SELECT name, device, shards, samples, failures, tokens, "
                                                      "merge_seconds, decode_seconds FROM worker_summary"));
  std::vector<WorkerRow> workers;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return workers;
    workers.push_back({rows.Text(0), rows.Text(1), static_cast<int>(rows.Int(2)), static_cast<int>(rows.Int(3)),
                       static_cast<int>(rows.Int(4)), rows.Int(5), rows.Double(6), rows.Double(7)});
  }
}

absl::StatusOr<TrialDetails> StoreReader::Trial(int64_t trial) {
  ASSIGN_OR_RETURN(const Transaction transaction, Transaction::BeginRead(*database_));
  TrialDetails details;
  ASSIGN_OR_RETURN(Statement row, database_->Prepare(absl::StrCat(kSelectTrials, "WHERE t.trial = ?")));
  ASSIGN_OR_RETURN(const bool found, row.Bind(trial).Step());
  if (!found) {
    ASSIGN_OR_RETURN(const int64_t last, database_->Number("SELECT coalesce(max(trial), 0) FROM trials"));
    return absl::NotFoundError(absl::StrCat(database_->path(), ": no trial ", trial, "; there are 1 to ", last));
  }
  ASSIGN_OR_RETURN(details.trial, TrialFromRow(row));
  ASSIGN_OR_RETURN(Statement genome, database_->Prepare(absl::StrCat(kSelectGenomes, "WHERE genome = ?")));
  ASSIGN_OR_RETURN(const bool has_genome, genome.Bind(details.trial.genome).Step());
  if (!has_genome) return absl::DataLossError(absl::StrCat(database_->path(), ": trial ", trial, " has no genome"));
  ASSIGN_OR_RETURN(details.genome, GenomeFromRow(genome));
  ASSIGN_OR_RETURN(const std::vector<PhaseRecord> phases, ReadPhases(*database_));
  for (const PhaseRecord& phase : phases) {
    if (phase.phase == details.genome.phase) details.phase = phase.name;
  }
  const int64_t evaluated = details.trial.same_as.value_or(trial);
  ASSIGN_OR_RETURN(details.shards, ReadShards(*database_, evaluated));
  RETURN_IF_ERROR(ReadResults(*database_, evaluated, details));
  ASSIGN_OR_RETURN(details.failures, ReadFailures(*database_, evaluated));
  return details;
}

absl::StatusOr<std::vector<FailedRow>> StoreReader::Failed() {
  ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare(
          "SELECT t.trial, coalesce(p.name, ''), g.generation, g.origin, g.label, t.purpose, t.state, t.failure, "
          "(SELECT count(*) FROM failures f WHERE f.trial = coalesce(t.same_as, t.trial) AND f.forgiven = 0), "
          "(SELECT json_group_array(name) FROM (SELECT DISTINCT w.name AS name FROM failures f JOIN workers w ON "
          "w.worker = f.worker WHERE f.trial = coalesce(t.same_as, t.trial) AND f.forgiven = 0 ORDER BY w.name)) "
          "FROM trials t JOIN genomes g ON g.genome = t.genome LEFT JOIN phases p ON p.phase = g.phase "
          "WHERE t.state IN ('failed', 'infeasible') ORDER BY t.trial"));
  std::vector<FailedRow> failed;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return failed;
    ASSIGN_OR_RETURN(FailedRow row, FailedFromRow(rows));
    failed.push_back(std::move(row));
  }
}

absl::StatusOr<IntegrityReport> StoreReader::Examine(int limit) {
  ASSIGN_OR_RETURN(const Transaction transaction, Transaction::BeginRead(*database_));
  return ExamineDatabase(*database_, limit);
}

}  // namespace heterosis
