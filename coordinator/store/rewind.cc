// SPDX-License-Identifier: Apache-2.0
// Implements rewind.h. The steps of TakeBack: which results are suspicious, in which stage the earliest of them is;
// keep what is good of the stages after it, remove those stages, reopen the suspicious shards of that one.
#include "coordinator/store/rewind.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/base/status.h"

namespace heterosis {
namespace {

struct Suspicion {
  std::set<std::pair<int64_t, int>> shards;  // trial, shard
  std::set<int64_t> failed;                  // trials that failed with the help of a quarantined worker
};
using SuspicionByStage = std::map<int, Suspicion>;

absl::Status FindShards(Database& database, const std::string& name, SuspicionByStage& found) {
  ASSIGN_OR_RETURN(Statement rows,
                   database.Prepare("SELECT t.stage, s.trial, s.shard FROM shards s JOIN workers w ON w.worker = "
                                    "s.worker JOIN trials t ON t.trial = s.trial "
                                    "WHERE w.name = ? AND s.state = 'done' AND s.vouched = 0"));
  rows.Bind(name);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    found[static_cast<int>(rows.Int(0))].shards.insert({rows.Int(1), static_cast<int>(rows.Int(2))});
  }
}

absl::Status FindFailed(Database& database, const std::string& name, SuspicionByStage& found) {
  ASSIGN_OR_RETURN(
      Statement rows,
      database.Prepare("SELECT t.stage, t.trial FROM trials t WHERE t.shards > 0 AND t.state IN ('failed', "
                       "'infeasible') AND EXISTS (SELECT 1 FROM failures f JOIN workers w ON w.worker = "
                       "f.worker WHERE f.trial = t.trial AND w.name = ? AND f.forgiven = 0 AND "
                       "f.vouched = 0)"));
  rows.Bind(name);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return absl::OkStatus();
    found[static_cast<int>(rows.Int(0))].failed.insert(rows.Int(1));
  }
}

absl::Status FindAudited(Database& database, const AuditCommit& audit, SuspicionByStage& found) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare("SELECT stage FROM trials WHERE trial = ?"));
  ASSIGN_OR_RETURN(const bool is_there, row.Bind(audit.trial).Step());
  if (is_there) found[static_cast<int>(row.Int(0))].shards.insert({audit.trial, audit.shard});
  return absl::OkStatus();
}

// What was kept of a worker that is not believed any more.
absl::Status DropKept(Database& database, const std::string& name) {
  ASSIGN_OR_RETURN(Statement drop,
                   database.Prepare("DELETE FROM kept_shards WHERE vouched = 0 AND worker IN (SELECT worker FROM "
                                    "workers WHERE name = ?)"));
  return drop.Bind(name).Run();
}

// Results of the stages after `stage`, but the suspicious ones and those whose audit is not over.
absl::Status Keep(Database& database, int stage, const SuspicionByStage& found) {
  ASSIGN_OR_RETURN(Statement shards,
                   database.Prepare("INSERT OR REPLACE INTO kept_shards (recipe_digest, sample_set, shard, attempt, "
                                    "worker, merge_seconds, decode_seconds, finished_ms, vouched) "
                                    "SELECT g.recipe_digest, t.sample_set, s.shard, s.attempt, s.worker, "
                                    "s.merge_seconds, s.decode_seconds, s.finished_ms, s.vouched "
                                    "FROM shards s JOIN trials t ON t.trial = s.trial JOIN genomes g ON g.genome = "
                                    "t.genome WHERE t.stage > ? AND s.state = 'done' AND NOT EXISTS (SELECT 1 FROM "
                                    "audits a WHERE a.trial = s.trial AND a.shard = s.shard AND a.state = 'due')"));
  RETURN_IF_ERROR(shards.Bind(stage).Run());
  ASSIGN_OR_RETURN(Statement drop,
                   database.Prepare("DELETE FROM kept_shards WHERE (recipe_digest, sample_set, shard) IN (SELECT "
                                    "g.recipe_digest, t.sample_set, ?2 FROM trials t JOIN genomes g ON g.genome = "
                                    "t.genome WHERE t.trial = ?1)"));
  for (const auto& [later, suspicion] : found) {
    if (later <= stage) continue;
    for (const auto& [trial, shard] : suspicion.shards) RETURN_IF_ERROR(drop.Bind(trial).Bind(shard).Run());
  }
  ASSIGN_OR_RETURN(Statement results,
                   database.Prepare("INSERT OR REPLACE INTO kept_results (recipe_digest, sample_set, sample, shard, "
                                    "correct, number_ok, language_ok, answer, text, prompt_tokens, new_tokens, finish) "
                                    "SELECT g.recipe_digest, t.sample_set, r.sample, r.shard, r.correct, r.number_ok, "
                                    "r.language_ok, r.answer, r.text, r.prompt_tokens, r.new_tokens, r.finish "
                                    "FROM results r JOIN trials t ON t.trial = r.trial JOIN genomes g ON g.genome = "
                                    "t.genome WHERE t.stage > ? AND EXISTS (SELECT 1 FROM kept_shards k WHERE "
                                    "k.recipe_digest = g.recipe_digest AND k.sample_set = t.sample_set AND k.shard = "
                                    "r.shard)"));
  return results.Bind(stage).Run();
}

// A genome has a trial from its first moment: one without any was made by a stage that is gone.
absl::Status RemoveStagesAfter(Database& database, int stage) {
  for (const char* sql : {"DELETE FROM results WHERE trial IN (SELECT trial FROM trials WHERE stage > ?)",
                          "DELETE FROM audits WHERE trial IN (SELECT trial FROM trials WHERE stage > ?)",
                          "DELETE FROM failures WHERE trial IN (SELECT trial FROM trials WHERE stage > ?)",
                          "DELETE FROM shards WHERE trial IN (SELECT trial FROM trials WHERE stage > ?)",
                          "DELETE FROM trials WHERE stage > ?",
                          "DELETE FROM genomes WHERE NOT EXISTS (SELECT 1 FROM trials t WHERE t.genome = "
                          "genomes.genome) AND ? >= 0",
                          "DELETE FROM generations WHERE stage > ?", "DELETE FROM stages WHERE stage > ?",
                          // A winner is marked by the stage after its phase's selection.
                          "UPDATE genomes SET chosen = 0 WHERE chosen = 1 AND phase NOT IN (SELECT phase FROM stages "
                          "WHERE kind = 'selection' AND stage < ?)",
                          "UPDATE stages SET state = 'open', finished_ms = NULL WHERE stage = ?"}) {
    ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
    RETURN_IF_ERROR(statement.Bind(stage).Run());
  }
  return absl::OkStatus();
}

absl::Status ReopenShard(Database& database, int64_t trial, int shard) {
  for (const char* sql : {"DELETE FROM results WHERE trial = ? AND shard = ?",
                          "DELETE FROM audits WHERE trial = ? AND shard = ? AND state <> 'undecided'",
                          "UPDATE shards SET state = 'open', attempt = NULL, worker = NULL, merge_seconds = NULL, "
                          "decode_seconds = NULL, finished_ms = NULL, vouched = 0 WHERE trial = ? AND shard = ?"}) {
    ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
    RETURN_IF_ERROR(statement.Bind(trial).Bind(shard).Run());
  }
  return absl::OkStatus();
}

// The trial is not final any more, nor are those that share its outcome.
absl::Status ReopenTrial(Database& database, int64_t trial) {
  for (const char* sql :
       {"UPDATE genomes SET fitness = NULL WHERE genome IN (SELECT genome FROM trials WHERE (trial = ?1 OR same_as = "
        "?1) AND purpose IN ('search', 'baseline') AND split = 'search')",
        "UPDATE trials SET state = 'pending', correct = NULL, score = NULL, failure = '', finished_ms = NULL WHERE "
        "trial = ?1 OR same_as = ?1",
        "UPDATE trials SET state = 'running' WHERE trial = ?1 AND EXISTS (SELECT 1 FROM shards s WHERE s.trial = "
        "trials.trial AND s.state = 'done')"}) {
    ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
    RETURN_IF_ERROR(statement.Bind(trial).Run());
  }
  return absl::OkStatus();
}

absl::Status Reopen(Database& database, const Suspicion& suspicion, const std::vector<std::string>& names) {
  std::set<int64_t> trials = suspicion.failed;
  for (const auto& [trial, shard] : suspicion.shards) {
    RETURN_IF_ERROR(ReopenShard(database, trial, shard));
    trials.insert(trial);
  }
  ASSIGN_OR_RETURN(Statement forgive,
                   database.Prepare("UPDATE failures SET forgiven = 1 WHERE trial = ? AND worker IN (SELECT worker "
                                    "FROM workers WHERE name = ?)"));
  for (const int64_t trial : trials) {
    RETURN_IF_ERROR(ReopenTrial(database, trial));
    for (const std::string& name : names) RETURN_IF_ERROR(forgive.Bind(trial).Bind(name).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> CountAfter(Database& database, const char* table, int stage) {
  ASSIGN_OR_RETURN(Statement row, database.Prepare(absl::StrCat("SELECT count(*) FROM ", table, " WHERE stage > ?")));
  ASSIGN_OR_RETURN(const bool found, row.Bind(stage).Step());
  return found ? row.Int(0) : 0;
}

}  // namespace

absl::StatusOr<RewindSummary> TakeBack(Database& database, const RewindCommit& commit, int64_t now_ms) {
  SuspicionByStage found;
  for (const std::string& name : commit.names) {
    RETURN_IF_ERROR(FindShards(database, name, found));
    RETURN_IF_ERROR(FindFailed(database, name, found));
    RETURN_IF_ERROR(DropKept(database, name));
  }
  if (commit.audit.has_value() && commit.reopen_audited) RETURN_IF_ERROR(FindAudited(database, *commit.audit, found));
  RewindSummary summary;
  if (found.empty()) return summary;
  const auto& [stage, suspicion] = *found.begin();
  summary.stage = stage;
  summary.shards_reopened = static_cast<int>(suspicion.shards.size());
  ASSIGN_OR_RETURN(const int64_t stages, CountAfter(database, "stages", stage));
  ASSIGN_OR_RETURN(const int64_t trials, CountAfter(database, "trials", stage));
  summary.stages_removed = static_cast<int>(stages);
  summary.trials_removed = static_cast<int>(trials);
  RETURN_IF_ERROR(Keep(database, stage, found));
  RETURN_IF_ERROR(RemoveStagesAfter(database, stage));
  RETURN_IF_ERROR(Reopen(database, suspicion, commit.names));
  RETURN_IF_ERROR(database.Execute("UPDATE experiment SET epoch = epoch + 1, oldest_epoch = epoch + 1"));
  ASSIGN_OR_RETURN(const int64_t epoch, database.Number("SELECT epoch FROM experiment"));
  summary.epoch = static_cast<int>(epoch);
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO rewinds (reason, stage, shards_reopened, stages_removed, "
                                    "trials_removed, time_ms) VALUES (?, ?, ?, ?, ?, ?)"));
  insert.Bind(commit.reason).Bind(stage).Bind(summary.shards_reopened).Bind(summary.stages_removed);
  RETURN_IF_ERROR(insert.Bind(summary.trials_removed).Bind(now_ms).Run());
  return summary;
}

absl::StatusOr<std::vector<int64_t>> UseKept(Database& database, int stage) {
  ASSIGN_OR_RETURN(const int64_t kept, database.Number("SELECT count(*) FROM kept_shards"));
  if (kept == 0) return std::vector<int64_t>();
  std::vector<int64_t> trials;
  {
    ASSIGN_OR_RETURN(Statement rows,
                     database.Prepare("SELECT DISTINCT t.trial FROM trials t JOIN genomes g ON g.genome = t.genome "
                                      "JOIN kept_shards k ON k.recipe_digest = g.recipe_digest AND k.sample_set = "
                                      "t.sample_set WHERE t.stage = ? AND t.shards > 0 ORDER BY t.trial"));
    rows.Bind(stage);
    while (true) {
      ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) break;
      trials.push_back(rows.Int(0));
    }
  }
  ASSIGN_OR_RETURN(Statement shards,
                   database.Prepare("UPDATE shards SET state = 'done', attempt = k.attempt, worker = k.worker, "
                                    "merge_seconds = k.merge_seconds, decode_seconds = k.decode_seconds, finished_ms = "
                                    "k.finished_ms, vouched = k.vouched FROM kept_shards k, trials t, genomes g "
                                    "WHERE shards.trial = ? AND t.trial = shards.trial AND g.genome = t.genome AND "
                                    "k.recipe_digest = g.recipe_digest AND k.sample_set = t.sample_set AND k.shard = "
                                    "shards.shard AND shards.state = 'open'"));
  ASSIGN_OR_RETURN(Statement results,
                   database.Prepare("INSERT INTO results (trial, sample, shard, correct, number_ok, language_ok, "
                                    "answer, text, prompt_tokens, new_tokens, finish) "
                                    "SELECT t.trial, r.sample, r.shard, r.correct, r.number_ok, r.language_ok, "
                                    "r.answer, r.text, r.prompt_tokens, r.new_tokens, r.finish FROM trials t JOIN "
                                    "genomes g ON g.genome = t.genome JOIN kept_results r ON r.recipe_digest = "
                                    "g.recipe_digest AND r.sample_set = t.sample_set WHERE t.trial = ?"));
  for (const int64_t trial : trials) {
    RETURN_IF_ERROR(shards.Bind(trial).Run());
    RETURN_IF_ERROR(results.Bind(trial).Run());
  }
  return trials;
}

absl::Status WriteAudit(Database& database, const AuditCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(Statement write,
                   database.Prepare("INSERT INTO audits (trial, shard, state, time_ms) VALUES (?, ?, ?3, ?4) "
                                    "ON CONFLICT (trial, shard) DO UPDATE SET state = ?3, time_ms = ?4"));
  write.Bind(commit.trial).Bind(commit.shard).Bind(Name(commit.state));
  RETURN_IF_ERROR(write.Bind(now_ms).Run());
  if (!commit.vouched) return absl::OkStatus();
  ASSIGN_OR_RETURN(Statement vouch, database.Prepare("UPDATE shards SET vouched = 1 WHERE trial = ? AND shard = ?"));
  return vouch.Bind(commit.trial).Bind(commit.shard).Run();
}

}  // namespace heterosis
