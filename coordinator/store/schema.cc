// SPDX-License-Identifier: Apache-2.0
// Implements schema.h. Column names are the nouns of DESIGN.md; times are milliseconds since 1970.
#include "coordinator/store/schema.h"

#include <array>

#include "common/base/status.h"

namespace heterosis {
namespace {

// Version 1. Each table has a column `checksum` over its other columns (checksum.h), as wide from the start as it will
// be.
constexpr char kTables[] = R"sql(
CREATE TABLE experiment (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  name TEXT NOT NULL,
  config TEXT NOT NULL,                -- canonical text of the YAML file
  seed TEXT NOT NULL,                  -- 64 bits, unsigned, decimal
  run_id TEXT NOT NULL,                -- 128 random bits, hex: names this run of the experiment to its workers
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  error TEXT NOT NULL DEFAULT '',
  epoch INTEGER NOT NULL DEFAULT 0,    -- starts of the coordinator, and rewinds
  oldest_epoch INTEGER NOT NULL DEFAULT 1,  -- attempts of earlier ones count no more: the run was rewound
  created_ms INTEGER NOT NULL,
  finished_ms INTEGER,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE models (
  model INTEGER PRIMARY KEY,           -- place in the config
  name TEXT NOT NULL UNIQUE,
  digest TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('base', 'source')),
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE problems (
  split TEXT NOT NULL CHECK (split IN ('search', 'validation', 'test')),
  sample INTEGER NOT NULL,             -- index in the split
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (split, sample)
) STRICT;

CREATE TABLE phases (
  phase INTEGER PRIMARY KEY,           -- place in the config
  name TEXT NOT NULL UNIQUE,
  dimension INTEGER NOT NULL,
  population INTEGER NOT NULL,
  generations INTEGER NOT NULL,        -- planned
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE stages (
  stage INTEGER PRIMARY KEY,           -- in the order of running; all trials of one are final before the next begins
  kind TEXT NOT NULL CHECK (kind IN ('parents', 'generation', 'selection', 'final')),
  phase INTEGER REFERENCES phases,
  generation INTEGER,
  state TEXT NOT NULL CHECK (state IN ('open', 'done')),
  created_ms INTEGER NOT NULL,
  finished_ms INTEGER,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE sample_sets (
  sample_set TEXT PRIMARY KEY,         -- digest of split and samples
  split TEXT NOT NULL CHECK (split IN ('search', 'validation', 'test')),
  size INTEGER NOT NULL,
  samples TEXT NOT NULL,               -- JSON array of indexes in the split
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE generations (
  phase INTEGER NOT NULL REFERENCES phases,
  generation INTEGER NOT NULL,
  stage INTEGER NOT NULL UNIQUE REFERENCES stages,
  sample_set TEXT NOT NULL REFERENCES sample_sets,
  sigma REAL,                          -- the optimizer's step size when it asked
  snapshot BLOB,                       -- the optimizer's state when it asked; of the newest two only
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (phase, generation)
) STRICT;

CREATE TABLE genomes (
  genome INTEGER PRIMARY KEY,
  phase INTEGER REFERENCES phases,
  generation INTEGER,
  candidate INTEGER NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('parent', 'sampled', 'injected', 'mean')),
  label TEXT NOT NULL,
  genes TEXT NOT NULL,                 -- JSON array
  recipe TEXT NOT NULL,                -- JSON
  recipe_digest TEXT NOT NULL,
  fitness REAL,
  chosen INTEGER NOT NULL DEFAULT 0 CHECK (chosen IN (0, 1)),
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;
CREATE INDEX genomes_by_phase ON genomes (phase, generation);
CREATE INDEX genomes_by_recipe ON genomes (recipe_digest);
CREATE INDEX genomes_by_fitness ON genomes (phase, fitness);

CREATE TABLE trials (
  trial INTEGER PRIMARY KEY,
  stage INTEGER NOT NULL REFERENCES stages,
  genome INTEGER NOT NULL REFERENCES genomes,
  purpose TEXT NOT NULL CHECK (purpose IN ('parent', 'search', 'baseline', 'rescore', 'test')),
  split TEXT NOT NULL CHECK (split IN ('search', 'validation', 'test')),
  sample_set TEXT NOT NULL REFERENCES sample_sets,
  shards INTEGER NOT NULL,
  same_as INTEGER REFERENCES trials,   -- shares that trial's outcome: same recipe, same samples
  state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'infeasible')),
  correct INTEGER,
  total INTEGER NOT NULL,
  score REAL,
  failure TEXT NOT NULL DEFAULT '',
  created_ms INTEGER NOT NULL,
  finished_ms INTEGER,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  CHECK ((state = 'done') = (score IS NOT NULL))
) STRICT;
CREATE INDEX trials_by_genome ON trials (genome);
CREATE INDEX trials_by_stage ON trials (stage);
CREATE INDEX trials_by_origin ON trials (same_as) WHERE same_as IS NOT NULL;
CREATE INDEX trials_unfinished ON trials (state) WHERE state IN ('pending', 'running');

CREATE TABLE workers (
  worker TEXT PRIMARY KEY,             -- a session
  name TEXT NOT NULL,
  device TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE shards (
  trial INTEGER NOT NULL REFERENCES trials,
  shard INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'done')),
  attempt INTEGER,
  worker TEXT REFERENCES workers,
  merge_seconds REAL,
  decode_seconds REAL,
  finished_ms INTEGER,
  vouched INTEGER NOT NULL DEFAULT 0 CHECK (vouched IN (0, 1, 2)),  -- 1: another worker agreed; 2: its worker passed a canary after it
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (trial, shard)
) STRICT;
CREATE INDEX shards_unvouched ON shards (worker, finished_ms) WHERE state = 'done' AND vouched = 0;

CREATE TABLE results (
  trial INTEGER NOT NULL,
  sample INTEGER NOT NULL,             -- index in the trial's split
  shard INTEGER NOT NULL,
  correct INTEGER NOT NULL CHECK (correct IN (0, 1)),
  number_ok INTEGER NOT NULL CHECK (number_ok IN (0, 1)),
  language_ok INTEGER NOT NULL CHECK (language_ok IN (0, 1)),
  answer TEXT NOT NULL,
  text TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  new_tokens INTEGER NOT NULL,
  finish TEXT NOT NULL CHECK (finish IN ('eos', 'length', 'stop', 'repetition')),
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (trial, sample),
  FOREIGN KEY (trial, shard) REFERENCES shards
) STRICT;

CREATE TABLE failures (
  failure INTEGER PRIMARY KEY,
  trial INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  worker TEXT NOT NULL REFERENCES workers,
  class TEXT NOT NULL CHECK (class IN ('infra', 'crash', 'invalid', 'numeric', 'memory')),
  message TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  forgiven INTEGER NOT NULL DEFAULT 0 CHECK (forgiven IN (0, 1)),  -- of a trial that was taken up again: counts no more
  vouched INTEGER NOT NULL DEFAULT 0 CHECK (vouched IN (0, 1)),    -- its worker passed a canary after it
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  FOREIGN KEY (trial, shard) REFERENCES shards
) STRICT;
CREATE INDEX failures_by_trial ON failures (trial);

CREATE TABLE audits (
  trial INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('due', 'agreed', 'waived', 'undecided')),
  time_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (trial, shard),
  FOREIGN KEY (trial, shard) REFERENCES shards
) STRICT;
CREATE INDEX audits_due ON audits (trial, shard) WHERE state = 'due';

CREATE TABLE canaries (
  canary INTEGER PRIMARY KEY,          -- in the order of the answers
  worker TEXT NOT NULL REFERENCES workers,
  outcome TEXT NOT NULL CHECK (outcome IN ('good', 'waits', 'wrong', 'failed')),
  reference INTEGER REFERENCES canaries,  -- of a good one: the answer that it agrees with, which may be itself
  confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),  -- two workers had given the reference by then
  answer TEXT NOT NULL,                -- JSON, by problem, step and rank: [token, logit]
  message TEXT NOT NULL,               -- of a wrong or failed one, or of one that waits: why
  time_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE trust (
  name TEXT PRIMARY KEY,               -- of a worker, through all its sessions
  agreements INTEGER NOT NULL,         -- answers in a row that agreed with another worker's
  quarantined INTEGER NOT NULL CHECK (quarantined IN (0, 1)),
  reason TEXT NOT NULL DEFAULT '',     -- of the quarantine
  time_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

CREATE TABLE rewinds (
  rewind INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  stage INTEGER NOT NULL,              -- where the run went on from
  shards_reopened INTEGER NOT NULL,
  stages_removed INTEGER NOT NULL,
  trials_removed INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;

-- Results of removed stages by workers that nothing is held against: used where the run comes to the same recipe on the
-- same samples again. Empty at the end of a run.
CREATE TABLE kept_shards (
  recipe_digest TEXT NOT NULL,
  sample_set TEXT NOT NULL,
  shard INTEGER NOT NULL,
  attempt INTEGER,
  worker TEXT REFERENCES workers,
  merge_seconds REAL,
  decode_seconds REAL,
  finished_ms INTEGER,
  vouched INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (recipe_digest, sample_set, shard)
) STRICT;
CREATE TABLE kept_results (
  recipe_digest TEXT NOT NULL,
  sample_set TEXT NOT NULL,
  sample INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  correct INTEGER NOT NULL,
  number_ok INTEGER NOT NULL,
  language_ok INTEGER NOT NULL,
  answer TEXT NOT NULL,
  text TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  new_tokens INTEGER NOT NULL,
  finish TEXT NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF,
  PRIMARY KEY (recipe_digest, sample_set, sample),
  FOREIGN KEY (recipe_digest, sample_set, shard) REFERENCES kept_shards ON DELETE CASCADE
) STRICT;

CREATE TABLE starts (
  epoch INTEGER PRIMARY KEY,           -- of the coordinator
  time_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0x7FFFFFFFFFFFFFFF
) STRICT;
)sql"
                           R"sql(
-- Every score of a genome by split. A batch of a generation is not all of the search split and does not count as it.
CREATE VIEW genome_scores AS
SELECT t.genome AS genome,
       max(t.score) FILTER (WHERE t.split = 'search') AS search,
       max(t.score) FILTER (WHERE t.split = 'validation') AS validation,
       max(t.score) FILTER (WHERE t.split = 'test') AS test,
       max(t.score) FILTER (WHERE t.purpose = 'rescore') AS rescore,
       min(t.trial) AS trial
FROM trials t
JOIN (SELECT split, count(*) AS size FROM problems GROUP BY split) p ON p.split = t.split AND p.size = t.total
GROUP BY t.genome;

CREATE VIEW best_genomes AS
SELECT (SELECT min(t.trial) FROM trials t WHERE t.genome = g.genome) AS trial,
       g.genome AS genome,
       p.name AS phase,
       g.generation AS generation,
       g.candidate AS candidate,
       g.origin AS origin,
       g.label AS label,
       g.fitness AS fitness,
       s.search AS search,
       s.validation AS validation,
       s.test AS test,
       g.chosen AS chosen,
       g.genes AS genes,
       g.recipe AS recipe
FROM genomes g
JOIN phases p ON p.phase = g.phase
LEFT JOIN genome_scores s ON s.genome = g.genome
ORDER BY g.chosen DESC,
         CASE WHEN g.chosen THEN g.phase END DESC,
         s.rescore DESC NULLS LAST,
         g.fitness DESC NULLS LAST,
         g.genome;

CREATE VIEW generation_progress AS
SELECT p.name AS phase,
       e.generation AS generation,
       st.state AS state,
       count(t.trial) AS trials,
       count(t.trial) FILTER (WHERE t.state = 'done') AS done,
       count(t.trial) FILTER (WHERE t.state = 'failed') AS failed,
       count(t.trial) FILTER (WHERE t.state = 'infeasible') AS infeasible,
       max(t.score) AS best,
       avg(t.score) AS mean,
       max(max(t.score)) OVER (PARTITION BY e.phase ORDER BY e.generation) AS best_so_far,
       e.sigma AS sigma,
       st.created_ms AS started_ms,
       st.finished_ms AS finished_ms
FROM generations e
JOIN phases p ON p.phase = e.phase
JOIN stages st ON st.stage = e.stage
JOIN trials t ON t.stage = e.stage AND t.purpose = 'search'
GROUP BY e.phase, e.generation
ORDER BY e.phase, e.generation;

CREATE VIEW worker_summary AS
SELECT w.name AS name,
       w.device AS device,
       sum(coalesce(d.shards, 0)) AS shards,
       sum(coalesce(d.samples, 0)) AS samples,
       sum(coalesce(d.tokens, 0)) AS tokens,
       sum(coalesce(d.merge_seconds, 0.0)) AS merge_seconds,
       sum(coalesce(d.decode_seconds, 0.0)) AS decode_seconds,
       sum((SELECT count(*) FROM failures f WHERE f.worker = w.worker)) AS failures,
       max(w.last_seen_ms) AS last_seen_ms
FROM workers w
LEFT JOIN (
  SELECT s.worker AS worker, count(*) AS shards, sum(s.merge_seconds) AS merge_seconds,
         sum(s.decode_seconds) AS decode_seconds, sum(r.samples) AS samples, sum(r.tokens) AS tokens
  FROM shards s
  JOIN (SELECT trial, shard, count(*) AS samples, sum(new_tokens) AS tokens FROM results GROUP BY trial, shard) r
    ON r.trial = s.trial AND r.shard = s.shard
  GROUP BY s.worker
) d ON d.worker = w.worker
GROUP BY w.name, w.device
ORDER BY w.name, w.device;

CREATE VIEW parent_scores AS
SELECT g.label AS name,
       s.trial AS trial,
       s.search AS search,
       s.validation AS validation,
       s.test AS test
FROM genomes g
LEFT JOIN genome_scores s ON s.genome = g.genome
WHERE g.origin = 'parent'
ORDER BY g.genome;
)sql";

constexpr std::array kMigrations = {kTables};
static_assert(kMigrations.size() == kSchemaVersion);

}  // namespace

std::span<const char* const> Migrations() {
  return kMigrations;
}

absl::Status CheckOurs(Database& database, std::span<const char* const> migrations) {
  const absl::StatusOr<int64_t> read = database.Number("PRAGMA application_id");
  const absl::StatusOr<int64_t> version_read = database.Number("PRAGMA user_version");
  const absl::StatusOr<int64_t> objects_read = database.Number("SELECT count(*) FROM sqlite_schema");
  for (const absl::Status& status : {read.status(), version_read.status(), objects_read.status()}) {
    // SQLite calls a file format that it does not know an error like any other.
    if (!absl::IsDataLoss(status) && !absl::IsInternal(status)) {
      RETURN_IF_ERROR(status);
      continue;
    }
    return absl::DataLossError(absl::StrCat(database.path(),
                                            ": not a database, or damaged at its beginning; choose another file with "
                                            "--db, or restore a backup"));
  }
  const int64_t application = *read, version = *version_read, objects = *objects_read;
  const bool is_empty = application == 0 && version == 0 && objects == 0;
  if (application != kApplicationId && !is_empty) {
    return absl::FailedPreconditionError(
        absl::StrCat(database.path(), ": not a Heterosis database; choose another file with --db"));
  }
  if (version > static_cast<int64_t>(migrations.size())) {
    return absl::FailedPreconditionError(absl::StrCat(database.path(), ": written by a newer Heterosis (schema ",
                                                      version, "; this program knows up to ", migrations.size(),
                                                      "): use that version"));
  }
  if (version < 1 && !is_empty) {
    return absl::DataLossError(
        absl::StrCat(database.path(), ": damaged: has tables, but no version of them; restore a backup"));
  }
  return absl::OkStatus();
}

absl::Status Migrate(Database& database, std::span<const char* const> migrations) {
  RETURN_IF_ERROR(CheckOurs(database, migrations));
  ASSIGN_OR_RETURN(const int64_t version, database.Number("PRAGMA user_version"));
  for (size_t next = static_cast<size_t>(version); next < migrations.size(); ++next) {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    RETURN_IF_ERROR(database.Execute(migrations[next]));
    RETURN_IF_ERROR(database.Execute(absl::StrCat("PRAGMA application_id = ", kApplicationId)));
    RETURN_IF_ERROR(database.Execute(absl::StrCat("PRAGMA user_version = ", next + 1)));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return absl::OkStatus();
}

}  // namespace heterosis
