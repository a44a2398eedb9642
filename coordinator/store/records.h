// SPDX-License-Identifier: Apache-2.0
// The rows that the experiment writes and gets back when it resumes: one struct per table of schema.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "common/trial/canary.h"
#include "common/trial/trial.h"

namespace heterosis {

// An experiment runs stage by stage; every trial of a stage is final before the next stage is committed.
enum class StageKind {
  kParents,     // the source models, on all of the search split
  kGeneration,  // one generation of a phase
  kSelection,   // the best few and the mean of a phase, on validation (or all of search)
  kFinal,       // the parents on validation and test, the chosen model on test
};

// Why a trial is run.
enum class Purpose { kParent, kSearch, kBaseline, kRescore, kTest };

// Where a genome comes from.
enum class Origin {
  kParent,    // a source model as it is; has no genes
  kSampled,   // drawn by the optimizer
  kInjected,  // a known point of the space that joins the first generation: a parent, the uniform merge
  kMean,      // the centre of the optimizer's distribution; in generation 0 it is the start, x0
};

enum class ExperimentState { kRunning, kDone, kFailed };

std::string_view Name(StageKind kind);
std::string_view Name(Purpose purpose);
std::string_view Name(Origin origin);
std::string_view Name(ExperimentState state);
absl::StatusOr<StageKind> StageKindFromName(std::string_view name);
absl::StatusOr<Purpose> PurposeFromName(std::string_view name);
absl::StatusOr<Origin> OriginFromName(std::string_view name);
absl::StatusOr<ExperimentState> ExperimentStateFromName(std::string_view name);

struct ModelRecord {
  std::string name;
  std::string digest;
  std::string role;  // base or source
  bool operator==(const ModelRecord&) const = default;
};

struct PhaseRecord {
  int phase = 0;  // its place in the config, from 0
  std::string name;
  int dimension = 0;
  int population = 0;
  int generations = 0;  // planned
};

// What an experiment is: written once when it starts, compared when it resumes.
struct ExperimentRecord {
  std::string name;
  std::string config;  // canonical text (common/config)
  uint64_t seed = 0;
  // Names this run of the experiment, in this database, through all starts. Left empty, the store makes a random one.
  std::string run_id;
  std::vector<ModelRecord> models;
  std::vector<PhaseRecord> phases;
  // By split: search, validation, test; an absent split is empty.
  std::vector<Problem> search, validation, test;
};

// Samples that trials are scored on, named by content.
struct SampleSet {
  Split split = Split::kSearch;
  std::vector<int> samples;  // indexes in the split
  std::string digest;        // SampleSetDigest(split, samples)
};
std::string SampleSetDigest(Split split, const std::vector<int>& samples);

struct GenomeRecord {
  int64_t genome = 0;             // id, from 1, in the order of creation
  std::optional<int> phase;       // absent for parents
  std::optional<int> generation;  // absent for parents; the mean at the end of a phase has the number of generations
  int candidate = 0;              // place in its generation
  Origin origin = Origin::kSampled;
  std::string label;          // of parents and injected ones: the model's name, "uniform"
  std::vector<double> genes;  // empty for parents
  Recipe recipe;
  std::string recipe_digest;
  std::optional<double> fitness;  // the score of its search or baseline trial, once done
  bool chosen = false;            // the winner of its phase
};

struct TrialRecord {
  int64_t trial = 0;  // id, from 1, in the order of creation
  int64_t genome = 0;
  Purpose purpose = Purpose::kSearch;
  SampleSet samples;
  int shards = 0;
  // Another trial of the same recipe on the same samples, whose outcome this one shares without being evaluated.
  std::optional<int64_t> same_as;
  TrialState state = TrialState::kPending;
  std::optional<int> correct;   // once done
  std::optional<double> score;  // correct / number of samples
  std::string failure;          // why it failed or is infeasible
};
// Whether workers have tried the trial (or the one whose outcome it shares) in vain. A path beyond its limits, which
// nobody tried, is none of these.
bool FailedOnWorkers(const TrialRecord& trial);

struct StageRecord {
  int stage = 0;  // from 0, in the order of running
  StageKind kind = StageKind::kParents;
  std::optional<int> phase;
  std::optional<int> generation;
};

// W1: everything that begins with a stage, and what the stage before leaves behind; one transaction.
struct StageCommit {
  StageRecord stage;
  std::vector<GenomeRecord> genomes;  // new ones
  std::vector<TrialRecord> trials;    // pending, sharing another's outcome, or infeasible
  std::string snapshot;               // the optimizer's state, of a generation
  std::optional<double> sigma;        // its step size, for people
  std::optional<int64_t> chosen;      // the genome that won the phase which the stage before ended
};

// W2: a finished shard. When it is the trial's last one, the trial and those that share its outcome are done.
struct ShardCommit {
  ShardResult result;
  std::string worker;
  bool audit_due = false;  // another worker is to compute it as well
};

struct FailureCommit {
  ShardFailure failure;
  std::string worker;
  // It was one too many: the trial has ended as EndAfter(failure.failure) says, and so have those that share its
  // outcome.
  bool trial_failed = false;
};

// The end of the experiment, and how it stands before: kRunning without an error.
struct FinishCommit {
  ExperimentState state = ExperimentState::kRunning;
  std::string error;  // of kFailed
};

struct WorkerRecord {
  std::string session;
  std::string name;
  std::string device;
};

// What is believed of a worker, by its name.
struct TrustRecord {
  std::string name;
  int agreements = 0;  // answers in a row that agreed with another worker's
  bool quarantined = false;
  std::string reason;
  bool operator==(const TrustRecord&) const = default;
};

// A shard that has a result and is to be computed by another worker as well, or was.
enum class AuditState {
  kDue,
  kAgreed,
  kWaived,     // nobody could do it
  kUndecided,  // two workers differed and nobody could decide; the shard was computed again without an audit
};
std::string_view Name(AuditState state);

struct AuditCommit {
  int64_t trial = 0;
  int shard = 0;
  AuditState state = AuditState::kDue;
  bool vouched = false;            // two workers gave the same answers, text for text
  std::vector<TrustRecord> trust;  // what changes with it
};

// An audit of a trial, and whose answer is the one that counted.
struct AuditRecord {
  int64_t trial = 0;
  int shard = 0;
  std::string name, device;
};

// What an answer to a canary says.
enum class CanaryOutcome {
  kGood,    // it is the reference, or agrees with it
  kWaits,   // it differs from a reference that only one worker has given: a third is to decide
  kWrong,   // it differs from one that two have given, or from its own worker's
  kFailed,  // could not be computed
};
std::string_view Name(CanaryOutcome outcome);
absl::StatusOr<CanaryOutcome> CanaryOutcomeFromName(std::string_view name);

struct CanaryRecord {
  int64_t canary = 0;  // id, from 1, in the order of the answers
  std::string name;    // of the worker
  CanaryOutcome outcome = CanaryOutcome::kFailed;
  int64_t reference = 0;   // of kGood: the canary that it agrees with, which may be itself
  bool confirmed = false;  // two workers have given that
  CanaryResult result;     // but `number`
  std::string message;     // why it is not good
};

struct CanaryCommit {
  CanaryRecord record;
  std::string worker;  // the session
  // Of a good one: it vouches for what the session has done after this time.
  std::optional<int64_t> vouches_since_ms;
};

// The answer that counted.
struct CountedAnswer {
  std::string name, device;
  ShardResult result;
};

// Takes results back: those of quarantined workers that nothing vouches for, or of one shard. When later stages were
// built on them, the run goes back to the earliest stage that has such a result.
struct RewindCommit {
  std::vector<std::string> names;      // of workers whose results are to be computed again
  std::optional<AuditCommit> audit;    // the audit that brought it to light; written first
  std::optional<CanaryCommit> canary;  // or the canary
  bool reopen_audited = false;         // the audited shard's counted result is wrong or in doubt, whoever's it is
  std::vector<TrustRecord> trust;
  std::string reason;
};

struct RewindSummary {
  int epoch = 0;             // from which attempts count
  std::optional<int> stage;  // where the run goes on; absent: nothing was taken back, and nothing else has changed
  int shards_reopened = 0;
  int stages_removed = 0, trials_removed = 0;
};

// The best fitness of a phase so far, and the mean fitness of one of its generations.
struct FitnessSummary {
  std::optional<double> best, mean;
};

// A trial that was open when the coordinator stopped.
struct UnfinishedTrial {
  int64_t trial = 0;
  std::vector<int> open_shards;
  int failures = 0;                                       // crash, numeric and memory ones recorded
  std::map<FailureClass, std::set<std::string>> workers;  // the names of who saw them, by class
};

}  // namespace heterosis
