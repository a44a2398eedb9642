// SPDX-License-Identifier: Apache-2.0
// Implements integrity.h.
#include "coordinator/store/integrity.h"

#include <array>
#include <memory>
#include <set>

#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "coordinator/store/checksum.h"
#include "coordinator/store/schema.h"

namespace heterosis {
namespace {

// What rows of several tables say of one thing. Each query gives the rows that do not agree, by name: none. A disk that
// takes back a whole page, or a log that is cut, leaves rows that fit their checksums and not each other.
struct Rule {
  const char* what;
  const char* query;
};
constexpr std::array kRules = {
    Rule{"a done trial has other totals than its results",
         "SELECT 'trial ' || t.trial FROM trials t WHERE t.state = 'done' AND t.same_as IS NULL AND "
         "((SELECT count(*) FROM results r WHERE r.trial = t.trial) <> t.total OR "
         "(SELECT sum(correct) FROM results r WHERE r.trial = t.trial) IS NOT t.correct OR "
         "t.score IS NOT 1.0 * t.correct / t.total)"},
    Rule{"a trial has other shards than it says",
         "SELECT 'trial ' || t.trial FROM trials t WHERE t.same_as IS NULL AND t.state <> 'infeasible' AND "
         "((SELECT count(*) FROM shards s WHERE s.trial = t.trial) <> t.shards OR "
         "(t.state = 'done' AND EXISTS (SELECT 1 FROM shards s WHERE s.trial = t.trial AND s.state = 'open')))"},
    Rule{"a shard is done without results, or open with some",
         "SELECT 'trial ' || s.trial || ', shard ' || s.shard FROM shards s LEFT JOIN "
         "(SELECT DISTINCT trial, shard FROM results) r ON r.trial = s.trial AND r.shard = s.shard "
         "WHERE (s.state = 'done') <> (r.trial IS NOT NULL)"},
    Rule{"a trial that shares another's outcome has a different one",
         "SELECT 'trial ' || t.trial FROM trials t JOIN trials o ON o.trial = t.same_as WHERE "
         "(t.state IN ('done', 'failed') OR o.state IN ('done', 'failed')) AND "
         "(t.state <> o.state OR t.correct IS NOT o.correct OR t.score IS NOT o.score)"},
    Rule{"a genome has another fitness than its trial's score",
         "SELECT 'genome ' || g.genome FROM genomes g WHERE g.fitness IS NOT (SELECT t.score FROM trials t WHERE "
         "t.genome = g.genome AND t.purpose IN ('search', 'baseline') AND t.split = 'search' AND t.state = 'done')"},
    Rule{"a stage before the last is open, or has unfinished trials",
         "SELECT 'stage ' || s.stage FROM stages s WHERE s.stage < (SELECT max(stage) FROM stages) AND "
         "(s.state = 'open' OR EXISTS (SELECT 1 FROM trials t WHERE t.stage = s.stage AND t.state IN ('pending', "
         "'running')))"}};

struct SchemaObject {
  std::string type, name, table, sql;
};

absl::StatusOr<std::vector<SchemaObject>> ExpectedSchema() {
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> ours, Database::Open(":memory:", Database::Mode::kReadWriteCreate));
  RETURN_IF_ERROR(Migrate(*ours, Migrations()));
  ASSIGN_OR_RETURN(Statement rows, ours->Prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"));
  std::vector<SchemaObject> objects;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return objects;
    objects.push_back({rows.Text(0), rows.Text(1), rows.Text(2), rows.Text(3)});
  }
}

// Collects what is found. SQLite's own errors about a damaged file are findings too.
class Examination {
 public:
  Examination(Database& database, int limit) : database_(database), limit_(static_cast<size_t>(limit)) {}

  absl::StatusOr<IntegrityReport> Run() {
    // Where the structure is broken, no row can be believed.
    RETURN_IF_ERROR(Found(Structure()));
    if (report_.damage.empty()) RETURN_IF_ERROR(Found(Schema()));
    if (report_.damage.empty()) RETURN_IF_ERROR(Found(Checksums()));
    if (report_.damage.empty()) RETURN_IF_ERROR(Found(Rules()));
    return std::move(report_);
  }

  absl::StatusOr<IntegrityReport> RunWithoutAnswers() {
    RETURN_IF_ERROR(Found(Schema()));
    if (report_.damage.empty()) RETURN_IF_ERROR(Found(Checksums({"results", "kept_results"})));
    return std::move(report_);
  }

 private:
  bool full() const { return report_.damage.size() >= limit_; }

  absl::Status Found(const absl::Status& status) {
    if (!absl::IsDataLoss(status)) return status;
    report_.damage.push_back(Message(status));
    return absl::OkStatus();
  }

  absl::Status Structure() {
    ASSIGN_OR_RETURN(Statement rows, database_.Prepare(absl::StrCat("PRAGMA main.integrity_check(", limit_, ")")));
    while (!full()) {
      ASSIGN_OR_RETURN(const bool more, rows.Step());
      if (!more) break;
      if (rows.Text(0) != "ok") report_.damage.push_back(rows.Text(0));
    }
    ASSIGN_OR_RETURN(Statement keys,
                     database_.Prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check"));
    while (!full()) {
      ASSIGN_OR_RETURN(const bool more, keys.Step());
      if (!more) break;
      report_.damage.push_back(absl::StrFormat("table %s, row number %d: there is no such row in %s", keys.Text(0),
                                               keys.Int(1), keys.Text(2)));
    }
    return absl::OkStatus();
  }

  // Compared with a schema that was just made: a view whose text has changed gives wrong answers of sound rows.
  absl::Status Schema() {
    static const absl::StatusOr<std::vector<SchemaObject>> expected = ExpectedSchema();
    RETURN_IF_ERROR(expected.status());
    ASSIGN_OR_RETURN(Statement same, database_.Prepare("SELECT count(*) FROM main.sqlite_schema WHERE type = ? AND "
                                                       "name = ? AND tbl_name = ? AND coalesce(sql, '') = ?"));
    for (const SchemaObject& object : *expected) {
      if (full()) break;
      ASSIGN_OR_RETURN(const bool row,
                       same.Bind(object.type).Bind(object.name).Bind(object.table).Bind(object.sql).Step());
      if (!row || same.Int(0) != 1) {
        report_.damage.push_back(
            absl::StrFormat("the %s %s is missing, or is not as this program makes it", object.type, object.name));
      }
      same.Reset();
    }
    return absl::OkStatus();
  }

  absl::Status Checksums(const std::set<std::string>& but = {}) {
    ASSIGN_OR_RETURN(const std::vector<ChecksummedTable> tables, ChecksummedTables(database_));
    for (const ChecksummedTable& table : tables) {
      if (but.contains(table.name)) continue;
      ++report_.tables;
      ASSIGN_OR_RETURN(const int64_t rows, database_.Number("SELECT count(*) FROM main." + table.name));
      report_.rows += rows;
      ASSIGN_OR_RETURN(Statement damaged,
                       database_.Prepare(absl::StrFormat("SELECT %s FROM main.%s WHERE NOT (%s)",
                                                         RowNameExpression(table), table.name, FitsExpression(table))));
      while (!full()) {
        ASSIGN_OR_RETURN(const bool more, damaged.Step());
        if (!more) break;
        report_.damage.push_back(
            absl::StrFormat("table %s, row %s: its content does not fit its checksum", table.name, damaged.Text(0)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Rules() {
    for (const Rule& rule : kRules) {
      ASSIGN_OR_RETURN(Statement offenders, database_.Prepare(rule.query));
      while (!full()) {
        ASSIGN_OR_RETURN(const bool more, offenders.Step());
        if (!more) break;
        report_.damage.push_back(absl::StrCat(offenders.Text(0), ": ", rule.what));
      }
    }
    return absl::OkStatus();
  }

  Database& database_;
  const size_t limit_;
  IntegrityReport report_;
};

absl::Status Verdict(const Database& database, const IntegrityReport& report) {
  if (report.damage.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(database.path(), ": damaged: ", report.damage.front(),
                                          "; restore a backup, or begin anew with another --db (`coordinator check "
                                          "--db` lists all that is damaged)"));
}

}  // namespace

absl::StatusOr<IntegrityReport> ExamineDatabase(Database& database, int limit) {
  return Examination(database, limit).Run();
}

absl::Status CheckIntegrity(Database& database) {
  ASSIGN_OR_RETURN(const IntegrityReport report, ExamineDatabase(database, 1));
  return Verdict(database, report);
}

absl::Status CheckSummaries(Database& database) {
  ASSIGN_OR_RETURN(const IntegrityReport report, Examination(database, 1).RunWithoutAnswers());
  return Verdict(database, report);
}

}  // namespace heterosis
