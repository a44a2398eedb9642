// SPDX-License-Identifier: Apache-2.0
// What people ask of a trial database, running or finished: for `coordinator best`, `show`, `export` and `report`.
// Reads only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/store/integrity.h"
#include "coordinator/store/records.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

// Scores are fractions in [0, 1]; absent where not (yet) scored. `search` is of all of the search split.
struct Scores {
  std::optional<double> search, validation, test;
};

struct ExperimentSummary {
  std::string name;
  ExperimentState state = ExperimentState::kRunning;
  std::string error;
  std::string config;  // canonical text
  uint64_t seed = 0;
  int64_t created_ms = 0;
  std::optional<int64_t> finished_ms;
  std::vector<ModelRecord> models;
  std::vector<PhaseRecord> phases;
  int search_size = 0, validation_size = 0, test_size = 0;  // problems
  int trials = 0, failed = 0, infeasible = 0;               // trials in all, and of those
};

struct ParentRow {
  std::string name;
  int64_t trial = 0;  // its trial on the search split
  Scores scores;
};

struct BestRow {
  int64_t trial = 0;  // the trial that gave its fitness; of a mean at the end of a phase, the re-scoring
  int64_t genome_id = 0;
  std::string phase;
  int generation = 0;
  int candidate = 0;
  Origin origin = Origin::kSampled;
  std::string label;
  std::optional<double> fitness;
  Scores scores;
  bool chosen = false;
  std::vector<double> genome;
  Recipe recipe;
};

struct GenerationRow {
  std::string phase;
  int generation = 0;
  std::string state;  // open or done
  int trials = 0, done = 0, failed = 0;
  std::optional<double> best, mean;
  std::optional<double> best_so_far;
  std::optional<double> sigma;
  int64_t started_ms = 0;
  std::optional<int64_t> finished_ms;
};

struct WorkerRow {
  std::string name, device;
  int shards = 0, samples = 0, failures = 0;
  int64_t tokens = 0;
  double merge_seconds = 0, decode_seconds = 0;
};

struct ShardRow {
  int shard = 0;
  std::string state;  // open or done
  std::string worker;
  std::optional<int> attempt;
  std::optional<double> merge_seconds, decode_seconds;
};

struct FailureRow {
  int shard = 0;
  int attempt = 0;
  std::string worker;
  std::string failure;
  std::string message;
};

// A trial that has failed or is infeasible, and on whom.
struct FailedRow {
  int64_t trial = 0;
  std::string phase;  // empty for parents
  std::optional<int> generation;
  Origin origin = Origin::kSampled;
  std::string label;
  Purpose purpose = Purpose::kSearch;
  TrialState state = TrialState::kFailed;
  std::string failure;               // its class; empty where no worker tried it
  std::string message;               // why
  int attempts = 0;                  // that failed
  std::vector<std::string> workers;  // who made them, each name once, sorted
};

// Everything of one trial. Of a trial that shares another's outcome, shards and results are the other's.
struct TrialDetails {
  TrialRecord trial;
  GenomeRecord genome;
  std::string phase;  // its name; empty for parents
  std::vector<ShardRow> shards;
  std::vector<SampleResult> results;  // in the order of the sample indexes
  std::vector<Problem> problems;      // in step with results
  std::vector<FailureRow> failures;
};

// Thread-compatible. Each call reads one consistent state.
class StoreReader {
 public:
  // Errors: no such file, not one of our databases, another schema version (both name the remedy), and DataLoss where
  // anything that the calls below read but a trial's answers is damaged; answers are checked where they are read.
  static absl::StatusOr<std::unique_ptr<StoreReader>> Open(const std::string& path);
  // The same without a look for damage: for Examine.
  static absl::StatusOr<std::unique_ptr<StoreReader>> OpenUnchecked(const std::string& path);

  absl::StatusOr<ExperimentSummary> Experiment();
  absl::StatusOr<std::vector<ParentRow>> Parents();
  // Best first: the chosen ones (the last phase's before earlier phases'), then those that were re-scored, by that
  // score, then the others by fitness; ties by fitness, then by the earlier genome. Genomes without any score come
  // last.
  absl::StatusOr<std::vector<BestRow>> Best(int limit);
  // The merges that a search has to beat, of each phase: its uniform merge (injected under that label) and its start
  // (the mean of generation 0), in the order of their creation, each recipe once.
  absl::StatusOr<std::vector<BestRow>> Baselines();
  absl::StatusOr<std::vector<GenerationRow>> Generations();
  absl::StatusOr<std::vector<WorkerRow>> Workers();
  absl::StatusOr<TrialDetails> Trial(int64_t trial);  // NOT_FOUND, naming the ids that exist
  absl::StatusOr<std::vector<FailedRow>> Failed();    // in the order of the trials
  // Reads everything (integrity.h).
  absl::StatusOr<IntegrityReport> Examine(int limit);

 private:
  explicit StoreReader(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  std::unique_ptr<Database> database_;
};

}  // namespace heterosis
