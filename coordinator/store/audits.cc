// SPDX-License-Identifier: Apache-2.0
// Implements the part of store.h about audits, trust and taking results back.
#include "common/base/status.h"
#include "coordinator/store/rewind.h"
#include "coordinator/store/rows.h"
#include "coordinator/store/store.h"

namespace heterosis {
namespace {

absl::Status WriteTrust(Database& database, const std::vector<TrustRecord>& trust, int64_t now_ms) {
  ASSIGN_OR_RETURN(
      Statement write,
      database.Prepare("INSERT INTO trust (name, agreements, quarantined, reason, time_ms) VALUES (?1, ?2, "
                       "?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET agreements = ?2, quarantined = ?3, "
                       "reason = ?4, time_ms = ?5"));
  for (const TrustRecord& record : trust) {
    write.Bind(record.name).Bind(record.agreements).Bind(record.quarantined).Bind(record.reason);
    RETURN_IF_ERROR(write.Bind(now_ms).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<AuditRecord>> ReadAudits(Statement& rows) {
  std::vector<AuditRecord> audits;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return audits;
    audits.push_back({rows.Int(0), static_cast<int>(rows.Int(1)), rows.Text(2), rows.Text(3)});
  }
}

}  // namespace

absl::Status Store::CommitAudit(const AuditCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(WriteAudit(*database_, commit, now_ms));
  RETURN_IF_ERROR(WriteTrust(*database_, commit.trust, now_ms));
  return Commit(transaction, "audit");
}

absl::StatusOr<std::vector<AuditRecord>> Store::AuditTrial(int64_t trial, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT s.trial, s.shard, w.name, w.device FROM intact_shards s "
                                      "JOIN workers w ON w.worker = s.worker LEFT JOIN audits a ON a.trial = s.trial "
                                      "AND a.shard = s.shard WHERE s.trial = ? AND s.state = 'done' AND "
                                      "s.vouched <> 1 AND a.trial IS NULL ORDER BY s.shard"));
  rows.Bind(trial);
  ASSIGN_OR_RETURN(std::vector<AuditRecord> audits, ReadAudits(rows));
  rows.Reset();
  if (audits.empty()) return audits;
  for (const AuditRecord& audit : audits) {
    RETURN_IF_ERROR(WriteAudit(*database_, {.trial = audit.trial, .shard = audit.shard}, now_ms));
  }
  RETURN_IF_ERROR(Commit(transaction, "audit"));
  return audits;
}

absl::StatusOr<std::vector<AuditRecord>> Store::DueAudits() {
  // CROSS JOIN: from the few audits that are due, whatever SQLite takes for better.
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT s.trial, s.shard, w.name, w.device FROM audits a CROSS JOIN "
                                      "intact_shards s ON s.trial = a.trial AND s.shard = a.shard JOIN workers w ON "
                                      "w.worker = s.worker JOIN trials t ON t.trial = s.trial WHERE a.state = 'due' "
                                      "AND s.state = 'done' AND t.state NOT IN ('failed', 'infeasible') "
                                      "ORDER BY s.trial, s.shard"));
  return ReadAudits(rows);
}

absl::StatusOr<std::set<std::string>> Store::NamesIn(int stage) {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT DISTINCT w.name FROM intact_shards s JOIN trials t ON t.trial = s.trial "
                                      "JOIN workers w ON w.worker = s.worker WHERE t.stage = ? AND s.state = 'done'"));
  rows.Bind(stage);
  std::set<std::string> names;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return names;
    names.insert(rows.Text(0));
  }
}

absl::StatusOr<bool> Store::WasUndecided(int64_t trial, int shard) {
  ASSIGN_OR_RETURN(Statement row,
                   database_->Prepare("SELECT 1 FROM intact_audits WHERE trial = ? AND shard = ? AND state = "
                                      "'undecided'"));
  return row.Bind(trial).Bind(shard).Step();
}

absl::StatusOr<CountedAnswer> Store::Counted(int64_t trial, int shard) {
  CountedAnswer answer;
  ASSIGN_OR_RETURN(
      Statement who,
      database_->Prepare("SELECT w.name, w.device, s.attempt FROM intact_shards s JOIN workers w ON w.worker = "
                         "s.worker WHERE s.trial = ? AND s.shard = ? AND s.state = 'done'"));
  ASSIGN_OR_RETURN(const bool found, who.Bind(trial).Bind(shard).Step());
  if (!found) return absl::NotFoundError(absl::StrCat("shard ", shard, " of trial ", trial, " has no result"));
  answer.name = who.Text(0);
  answer.device = who.Text(1);
  answer.result.key = {trial, shard, static_cast<int>(who.Int(2))};
  // In the order of the trial's samples, which is that of what workers report.
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare(absl::StrCat("SELECT ", kResultColumns,
                                                   " FROM intact_results r JOIN trials t ON t.trial = r.trial "
                                                   "JOIN sample_sets s ON s.sample_set = t.sample_set "
                                                   "JOIN json_each(s.samples) place ON place.value = r.sample "
                                                   "WHERE r.trial = ? AND r.shard = ? ORDER BY place.key")));
  rows.Bind(trial).Bind(shard);
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return answer;
    ASSIGN_OR_RETURN(SampleResult sample, ResultFromRow(rows));
    answer.result.samples.push_back(std::move(sample));
  }
}

absl::StatusOr<std::vector<TrustRecord>> Store::Trust() {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT name, agreements, quarantined, reason FROM intact_trust ORDER BY name"));
  std::vector<TrustRecord> trust;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return trust;
    trust.push_back({rows.Text(0), static_cast<int>(rows.Int(1)), rows.Int(2) != 0, rows.Text(3)});
  }
}

absl::StatusOr<RewindSummary> Store::Rewind(const RewindCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  if (commit.audit.has_value()) RETURN_IF_ERROR(WriteAudit(*database_, *commit.audit, now_ms));
  if (commit.canary.has_value()) RETURN_IF_ERROR(WriteCanary(*database_, *commit.canary, now_ms));
  RETURN_IF_ERROR(WriteTrust(*database_, commit.trust, now_ms));
  ASSIGN_OR_RETURN(const RewindSummary summary, TakeBack(*database_, commit, now_ms));
  RETURN_IF_ERROR(Commit(transaction, "rewind"));
  return summary;
}

absl::StatusOr<int> Store::Epoch() {
  ASSIGN_OR_RETURN(const int64_t epoch, database_->Number("SELECT epoch FROM experiment"));
  return static_cast<int>(epoch);
}

absl::StatusOr<int> Store::OldestEpoch() {
  ASSIGN_OR_RETURN(const int64_t epoch, database_->Number("SELECT oldest_epoch FROM experiment"));
  return static_cast<int>(epoch);
}

}  // namespace heterosis
