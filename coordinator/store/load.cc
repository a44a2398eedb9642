// SPDX-License-Identifier: Apache-2.0
// Implements the reads of store.h: what an experiment needs to go on where it stopped. What decides anything is read
// through the views of checksum.h: a damaged row is an error.
#include <cstdlib>
#include <set>

#include "common/base/status.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/store.h"

namespace heterosis {
namespace {

absl::StatusOr<std::vector<Problem>> ReadProblems(Database& database, Split split) {
  ASSIGN_OR_RETURN(Statement rows,
                   database.Prepare("SELECT question, answer FROM intact_problems WHERE split = ? ORDER BY sample"));
  rows.Bind(Name(split));
  std::vector<Problem> problems;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return problems;
    problems.push_back({rows.Text(0), rows.Text(1)});
  }
}

absl::Status ReadFailures(Database& database, UnfinishedTrial& trial) {
  ASSIGN_OR_RETURN(
      Statement rows,
      database.Prepare("SELECT f.class, w.name FROM intact_failures f JOIN workers w ON w.worker = f.worker "
                       "WHERE f.trial = ? AND f.class IN ('crash', 'numeric', 'memory') AND "
                       "f.forgiven = 0 ORDER BY f.failure"));
  rows.Bind(trial.trial);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    ++trial.failures;
    ASSIGN_OR_RETURN(const FailureClass failure, FailureClassFromName(rows.Text(0)));
    trial.workers[failure].insert(rows.Text(1));
  }
}

}  // namespace

absl::StatusOr<bool> Store::HasExperiment() {
  ASSIGN_OR_RETURN(const int64_t count, database_->Number("SELECT count(*) FROM experiment"));
  return count > 0;
}

absl::StatusOr<ExperimentRecord> Store::LoadExperiment() {
  ExperimentRecord experiment;
  ASSIGN_OR_RETURN(Statement row, database_->Prepare("SELECT name, config, seed, run_id FROM intact_experiment"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::NotFoundError(absl::StrCat(database_->path(), ": holds no experiment"));
  experiment.name = row.Text(0);
  experiment.config = row.Text(1);
  experiment.seed = std::strtoull(row.Text(2).c_str(), nullptr, 10);
  experiment.run_id = row.Text(3);
  ASSIGN_OR_RETURN(experiment.models, ReadModels(*database_));
  ASSIGN_OR_RETURN(experiment.phases, ReadPhases(*database_));
  ASSIGN_OR_RETURN(experiment.search, ReadProblems(*database_, Split::kSearch));
  ASSIGN_OR_RETURN(experiment.validation, ReadProblems(*database_, Split::kValidation));
  ASSIGN_OR_RETURN(experiment.test, ReadProblems(*database_, Split::kTest));
  return experiment;
}

absl::StatusOr<FinishCommit> Store::State() {
  ASSIGN_OR_RETURN(Statement row, database_->Prepare("SELECT state, error FROM intact_experiment"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return absl::NotFoundError(absl::StrCat(database_->path(), ": holds no experiment"));
  FinishCommit state;
  ASSIGN_OR_RETURN(state.state, ExperimentStateFromName(row.Text(0)));
  state.error = row.Text(1);
  return state;
}

absl::StatusOr<std::optional<StageRecord>> Store::LastStage() {
  ASSIGN_OR_RETURN(Statement row, database_->Prepare("SELECT stage, kind, phase, generation FROM intact_stages "
                                                     "ORDER BY stage DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::nullopt;
  StageRecord stage;
  stage.stage = static_cast<int>(row.Int(0));
  ASSIGN_OR_RETURN(stage.kind, StageKindFromName(row.Text(1)));
  if (!row.IsNull(2)) stage.phase = static_cast<int>(row.Int(2));
  if (!row.IsNull(3)) stage.generation = static_cast<int>(row.Int(3));
  return stage;
}

absl::StatusOr<std::vector<TrialRecord>> Store::Trials(int stage) {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare(absl::StrCat(kSelectTrials, "WHERE t.stage = ? ORDER BY t.trial")));
  rows.Bind(stage);
  std::vector<TrialRecord> trials;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return trials;
    ASSIGN_OR_RETURN(TrialRecord trial, TrialFromRow(rows));
    trials.push_back(std::move(trial));
  }
}

absl::StatusOr<TrialRecord> Store::Trial(int64_t trial) {
  ASSIGN_OR_RETURN(Statement row, database_->Prepare(absl::StrCat(kSelectTrials, "WHERE t.trial = ?")));
  ASSIGN_OR_RETURN(const bool found, row.Bind(trial).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("no trial ", trial));
  return TrialFromRow(row);
}

absl::StatusOr<std::vector<GenomeRecord>> Store::Genomes(std::optional<int> phase) {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare(absl::StrCat(kSelectGenomes, "WHERE phase IS ? ORDER BY genome")));
  rows.Bind(phase);
  std::vector<GenomeRecord> genomes;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return genomes;
    ASSIGN_OR_RETURN(GenomeRecord genome, GenomeFromRow(rows));
    genomes.push_back(std::move(genome));
  }
}

absl::StatusOr<std::vector<int64_t>> Store::TopGenomes(int phase, int count) {
  ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare("SELECT genome, recipe_digest FROM intact_genomes WHERE phase = ? AND fitness IS NOT "
                         "NULL ORDER BY fitness DESC, genome"));
  rows.Bind(phase);
  std::vector<int64_t> top;
  std::set<std::string> recipes;
  while (static_cast<int>(top.size()) < count) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    if (recipes.insert(rows.Text(1)).second) top.push_back(rows.Int(0));
  }
  return top;
}

absl::StatusOr<std::optional<int64_t>> Store::BestOfGeneration(int phase, int generation) {
  ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT genome FROM intact_genomes WHERE phase = ? AND generation = ? AND fitness IS NOT "
                         "NULL AND origin IN ('sampled', 'injected') ORDER BY fitness DESC, genome LIMIT 1"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(phase).Bind(generation).Step());
  if (!found) return std::nullopt;
  return row.Int(0);
}

absl::StatusOr<std::optional<int64_t>> Store::BestRescored(int phase) {
  ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT t.genome FROM intact_trials t JOIN intact_genomes g ON g.genome = t.genome WHERE "
                         "g.phase = ? AND t.purpose = 'rescore' AND t.state = 'done' "
                         "ORDER BY t.score DESC, t.trial LIMIT 1"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(phase).Step());
  if (!found) return std::nullopt;
  return row.Int(0);
}

// Asked after each trial, for the progress line alone: not worth reading every recipe of the phase.
absl::StatusOr<FitnessSummary> Store::Fitness(int phase, int generation) {
  FitnessSummary summary;
  ASSIGN_OR_RETURN(Statement best, database_->Prepare("SELECT max(fitness) FROM genomes WHERE phase = ?"));
  ASSIGN_OR_RETURN(const bool best_row, best.Bind(phase).Step());
  if (best_row) summary.best = best.OptionalDouble(0);
  ASSIGN_OR_RETURN(Statement mean, database_->Prepare("SELECT avg(fitness) FROM genomes WHERE phase = ? AND "
                                                      "generation = ? AND origin IN ('sampled', 'injected')"));
  ASSIGN_OR_RETURN(const bool mean_row, mean.Bind(phase).Bind(generation).Step());
  if (mean_row) summary.mean = mean.OptionalDouble(0);
  return summary;
}

absl::StatusOr<int> Store::StageOf(int phase, int generation) {
  ASSIGN_OR_RETURN(Statement row,
                   database_->Prepare("SELECT stage FROM intact_generations WHERE phase = ? AND generation = ?"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(phase).Bind(generation).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("phase ", phase, " has no generation ", generation));
  return static_cast<int>(row.Int(0));
}

absl::StatusOr<std::optional<double>> Store::BestFitnessBefore(int phase, int generation) {
  // +generation: by the index of fitness, where the first row is mostly the one.
  ASSIGN_OR_RETURN(Statement row,
                   database_->Prepare("SELECT fitness FROM intact_genomes WHERE phase = ? AND +generation < ? AND "
                                      "fitness IS NOT NULL ORDER BY fitness DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(phase).Bind(generation).Step());
  if (!found) return std::nullopt;
  return row.Double(0);
}

absl::StatusOr<GenomeRecord> Store::Genome(int64_t genome) {
  ASSIGN_OR_RETURN(Statement row, database_->Prepare(absl::StrCat(kSelectGenomes, "WHERE genome = ?")));
  ASSIGN_OR_RETURN(const bool found, row.Bind(genome).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("no genome ", genome));
  return GenomeFromRow(row);
}

absl::StatusOr<std::vector<UnfinishedTrial>> Store::UnfinishedTrials() {
  ASSIGN_OR_RETURN(
      Statement rows,
      database_->Prepare("SELECT t.trial, s.shard FROM intact_trials t JOIN intact_shards s ON s.trial = t.trial "
                         "WHERE t.state IN ('pending', 'running') AND s.state = 'open' "
                         "ORDER BY t.trial, s.shard"));
  std::vector<UnfinishedTrial> trials;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) break;
    if (trials.empty() || trials.back().trial != rows.Int(0)) trials.push_back({.trial = rows.Int(0)});
    trials.back().open_shards.push_back(static_cast<int>(rows.Int(1)));
  }
  for (UnfinishedTrial& trial : trials) RETURN_IF_ERROR(ReadFailures(*database_, trial));
  return trials;
}

absl::StatusOr<std::string> Store::Snapshot(int phase, int generation) {
  ASSIGN_OR_RETURN(Statement row, database_->Prepare("SELECT snapshot FROM intact_generations WHERE phase = ? AND "
                                                     "generation = ? AND snapshot IS NOT NULL"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(phase).Bind(generation).Step());
  if (!found) {
    return absl::NotFoundError(
        absl::StrCat(database_->path(), ": no snapshot of phase ", phase, ", generation ", generation));
  }
  return row.Text(0);
}

absl::StatusOr<std::optional<int64_t>> Store::FindDone(std::string_view recipe_digest,
                                                       std::string_view samples_digest) {
  ASSIGN_OR_RETURN(
      Statement row,
      database_->Prepare("SELECT t.trial FROM intact_trials t JOIN intact_genomes g ON g.genome = t.genome "
                         "WHERE g.recipe_digest = ? AND t.sample_set = ? AND t.state = 'done' AND "
                         "t.same_as IS NULL ORDER BY t.trial LIMIT 1"));
  ASSIGN_OR_RETURN(const bool found, row.Bind(recipe_digest).Bind(samples_digest).Step());
  if (!found) return std::nullopt;
  return row.Int(0);
}

absl::StatusOr<int64_t> Store::LastTrialId() {
  return database_->Number("SELECT coalesce(max(trial), 0) FROM trials");
}

absl::StatusOr<int64_t> Store::LastGenomeId() {
  return database_->Number("SELECT coalesce(max(genome), 0) FROM genomes");
}

absl::StatusOr<int64_t> Store::SamplesDone() {
  return database_->Number("SELECT count(*) FROM results");
}

absl::StatusOr<int64_t> Store::NewestTime() {
  return database_->Number(
      "SELECT max(coalesce((SELECT max(time_ms) FROM starts), 0), coalesce((SELECT max(created_ms) FROM stages), 0), "
      "coalesce((SELECT max(finished_ms) FROM stages), 0), coalesce((SELECT max(finished_ms) FROM shards), 0), "
      "coalesce((SELECT max(last_seen_ms) FROM workers), 0), coalesce((SELECT max(time_ms) FROM failures), 0))");
}

}  // namespace heterosis
