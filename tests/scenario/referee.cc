// SPDX-License-Identifier: Apache-2.0
// Implements referee.h.
#include "tests/scenario/referee.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/genome/recipe.h"
#include "tests/support/small_experiment.h"

namespace heterosis {

void Referee::Print(const std::string& line) const {
  const double seconds = std::chrono::duration<double>(events_.now()).count();
  std::printf("[%9.3f] %s\n", seconds, line.c_str());
}

void Referee::Violated(const std::string& what) {
  if (verbose_) Print("VIOLATION: " + what);
  if (!violation_.has_value()) violation_ = what;
}

void Referee::HandedOut(const std::string& session, const ShardWork& work, const Progress& progress) {
  const ShardKey& key = work.key;
  Log("handed out: trial %d shard %d attempt %d to %s", key.trial, key.shard, key.attempt, session);
  const auto [attempt, fresh] = attempts_.try_emplace({key.trial, key.shard, key.attempt}, session);
  if (!fresh && attempt->second != session) {
    Violation("trial %d shard %d attempt %d was handed to two sessions, %s and %s", key.trial, key.shard, key.attempt,
              attempt->second, session);
  }
  // What was handed out is in the database: a later start of the coordinator must know the same trial under its number.
  if (fresh) {
    const std::string described = absl::StrCat(RecipeDigest(work.recipe), " ", std::string(Name(work.split)), " ",
                                               absl::StrJoin(work.samples, ","));
    const auto [known, first] = recipes_.try_emplace(key.trial * 1000 + key.shard, described);
    if (!first && known->second != described) {
      Violation("trial %d shard %d was one thing and is now another: %s, %s", key.trial, key.shard, known->second,
                described);
    }
  }
  if (!audits_ && acknowledged_.contains({key.trial, key.shard})) {
    Violation("trial %d shard %d is handed out although its result was acknowledged", key.trial, key.shard);
  }
  if (work.split == Split::kTest) {
    test_opened_ = true;
    if (progress.stage != StageKind::kFinal) Violation("the test split is opened in stage %s", Name(progress.stage));
  } else if (test_opened_ && work.split == Split::kSearch) {
    Violation("the search goes on after the test split was opened: trial %d", key.trial);
  }
}

void Referee::Counted(const ShardKey& key, bool result) {
  Log("counted: %s of trial %d shard %d attempt %d", result ? "the result" : "a failure", key.trial, key.shard,
      key.attempt);
  if (!result || audits_) return;
  if (++counted_[{key.trial, key.shard}] > 1) Violation("trial %d shard %d was counted twice", key.trial, key.shard);
}

void Referee::CheckPromises(const std::string& path) {
  if (acknowledged_.empty()) return;
  const auto rows = QueryDatabase(path, "SELECT trial || ' ' || shard FROM shards WHERE state = 'done'");
  if (!rows.ok()) {
    // A fault of the disk may be what keeps us from looking; the next start looks again.
    if (absl::IsDataLoss(rows.status())) Violation("the database is damaged: %s", std::string(rows.status().message()));
    return;
  }
  std::set<Shard> done;
  for (const std::string& row : *rows) {
    const std::pair<std::string, std::string> shard = absl::StrSplit(row, ' ');
    done.insert({std::stoll(shard.first), std::stoi(shard.second)});
  }
  for (const auto& [trial, shard] : acknowledged_) {
    if (!done.contains({trial, shard})) {
      Violation("the result of trial %d shard %d was acknowledged and is not in the database", trial, shard);
    }
  }
}

void Referee::CheckLeases(const Progress& progress, Clock::Duration slack) {
  const auto alive = std::count_if(heard_.begin(), heard_.end(), [&](const auto& session) {
    return session.second + lease_ + slack >= events_.now();
  });
  if (progress.shards_leased > alive) {
    Violation("%d shards are leased, but only %d sessions were heard of within a lease time", progress.shards_leased,
              alive);
  }
}

void Referee::CheckEnd(const std::string& path, const std::string& expected) {
  CheckPromises(path);
  // One query, because each opens the database anew.
  const auto flaws = QueryDatabase(
      path,
      "SELECT 'the database is not sound: ' || integrity_check FROM pragma_integrity_check WHERE "
      "integrity_check != 'ok' "
      "UNION ALL SELECT 'a row refers to nothing: ' || \"table\" FROM pragma_foreign_key_check "
      "UNION ALL SELECT 'a scored trial has not each sample once: ' || t.trial FROM trials t WHERE "
      "t.state = 'done' AND "
      "t.same_as IS NULL AND (t.total, t.correct) IS NOT (SELECT count(*), sum(r.correct) FROM results r "
      "WHERE r.trial = "
      "t.trial) "
      "UNION ALL SELECT 'an honest worker was found guilty: ' || name || ': ' || reason FROM trust WHERE quarantined "
      "UNION ALL SELECT 'more attempts at a trial than there are: ' || trial FROM (SELECT f.trial, count(*) AS times "
      "FROM "
      "failures f WHERE f.class IN ('crash', 'numeric', 'memory') AND NOT EXISTS (SELECT 1 FROM audits a WHERE a.trial "
      "= "
      "f.trial) GROUP BY f.trial) WHERE times > 3 "
      "UNION ALL SELECT 'a failure that two workers saw was tried by a third: ' || trial FROM (SELECT f.trial, "
      "count(DISTINCT w.name) AS names FROM failures f JOIN workers w ON w.worker = f.worker WHERE f.class IN "
      "('crash', "
      "'numeric', 'memory') AND NOT EXISTS (SELECT 1 FROM audits a WHERE a.trial = f.trial) GROUP BY f.trial, f.class) "
      "WHERE names > 2 "
      "UNION ALL SELECT 'the run was rewound for nothing: ' || reason FROM rewinds "
      "UNION ALL SELECT 'the run failed: ' || error FROM experiment WHERE state != 'done' "
      "UNION ALL SELECT 'an attempt of a start that was not: ' || trial FROM shards WHERE attempt >= "
      "1000 * (1 + (SELECT "
      "epoch FROM experiment))");
  if (!flaws.ok()) return Violation("the database cannot be read: %s", std::string(flaws.status().message()));
  if (!flaws->empty()) Violation("%s", flaws->front());
  const absl::StatusOr<std::string> contents = DatabaseContents(path);
  if (!contents.ok()) return Violation("the database cannot be read: %s", std::string(contents.status().message()));
  const std::vector<std::string> left = absl::StrSplit(*contents, '\n'), right = absl::StrSplit(expected, '\n');
  if (left == right) return;
  size_t line = audits_ ? 1 : 0;  // the first has the config, which says whether there are audits
  while (line < std::min(left.size(), right.size()) && left[line] == right[line]) ++line;
  if (line == left.size() && line == right.size()) return;
  Violation("the database is not that of an undisturbed run, first in line %d: %.400s instead of %.400s", line + 1,
            line < left.size() ? left[line] : "nothing", line < right.size() ? right[line] : "nothing");
}

}  // namespace heterosis
