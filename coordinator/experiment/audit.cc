// SPDX-License-Identifier: Apache-2.0
// Implements the part of experiment.h that decides whose results are believed: which shards a second worker computes as
// well, what follows when the answers differ, and how a run goes back behind the results of a worker that was wrong.
//
// A stage is closed only when its audits are settled. They go out when no shard waits any more, to workers that would
// be idle, so that what they cost is at most the time of one shard at the end of a stage that has some; those of a
// trusted worker are rare. The other way, to let them run beside the next stage, saves that time but builds generations
// on results in doubt: a lost audit then always costs whole stages.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/experiment/experiment.h"

namespace heterosis {
namespace {

std::string Place(const ShardKey& key) {
  return absl::StrFormat("trial %d, shard %d", key.trial, key.shard);
}

TrustRecord Distrusted(const std::string& name) {
  return {.name = name, .agreements = 0, .quarantined = false, .reason = ""};
}

}  // namespace

std::string Experiment::WhyBarred(const std::string& worker) const {
  if (!scheduler_->IsBarred(worker)) return "";
  if (!scheduler_->IsQuarantined(worker)) {
    return "this worker has reported that it cannot do this experiment's work; see its log";
  }
  const std::string name = scheduler_->IdentityOf(worker).name;
  return absl::StrFormat(
      "worker %s is quarantined: %s. Its machine seems to compute wrongly; once that is mended, start it under another "
      "--name",
      name, trust_.Of(name).reason);
}

absl::Status Experiment::LoadTrust() {
  trust_ = {};
  RETURN_IF_ERROR(LoadCanaries());
  ASSIGN_OR_RETURN(const std::vector<TrustRecord> trust, store_.Trust());
  Believe(trust);
  return absl::OkStatus();
}

void Experiment::Believe(const std::vector<TrustRecord>& trust) {
  for (const TrustRecord& record : trust) {
    trust_.Set(record.name, {record.agreements, record.quarantined, record.reason});
    if (!record.quarantined) continue;
    scheduler_->Quarantine(record.name);
    canaries_.Remove(record.name);
  }
  scheduler_->SetWaiting(canaries_.waiting());
}

TrustRecord Experiment::Agreed(const std::string& name) const {
  const Standing standing = trust_.Of(name);
  return {name, standing.agreements + 1, standing.quarantined, standing.reason};
}

bool Experiment::AnyoneBut(const std::string& name, const std::function<bool(const std::string&)>& wanted) const {
  return scheduler_->AnyoneBut(name, [&](const WorkerIdentity& other) { return wanted(other.name); }) ||
         std::any_of(returning_.begin(), returning_.end(),
                     [&](const std::string& other) { return other != name && wanted(other); });
}

bool Experiment::ReplicationIsOn(const std::string& name) const {
  const auto anyone = [](const std::string&) { return true; };
  const auto from_elsewhere = [&](const std::string& other) { return !setup_.local_workers.contains(other); };
  switch (setup_.config.scheduling().replication()) {
    case v1::Scheduling::NEVER:
      return false;
    case v1::Scheduling::ALWAYS:
      return AnyoneBut(name, anyone);
    case v1::Scheduling::AUTO:
      break;
  }
  return setup_.local_workers.contains(name) ? AnyoneBut(name, from_elsewhere) : AnyoneBut(name, anyone);
}

absl::StatusOr<bool> Experiment::AuditDue(const std::string& name, const ShardKey& key) {
  if (!ReplicationIsOn(name) || !trust_.AuditDue(name, setup_.config.seed(), key.trial, key.shard)) return false;
  ASSIGN_OR_RETURN(const bool undecided, store_.WasUndecided(key.trial, key.shard));
  return !undecided;
}

absl::Status Experiment::OpenForAudits(const std::vector<AuditRecord>& audits) {
  for (const AuditRecord& audit : audits) {
    if (!open_.contains(audit.trial)) {
      ASSIGN_OR_RETURN(const TrialRecord trial, store_.Trial(audit.trial));
      ASSIGN_OR_RETURN(const GenomeRecord genome, store_.Genome(trial.genome));
      open_[audit.trial] = {genome.recipe, trial.samples};
    }
    scheduler_->AddAudit(audit.trial, audit.shard, {audit.name, DeviceClass(audit.device)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Answer>> Experiment::AnswersTo(const ShardKey& key) {
  ASSIGN_OR_RETURN(CountedAnswer counted, store_.Counted(key.trial, key.shard));
  std::vector<Answer> answers;
  answers.push_back({counted.name, DeviceClass(counted.device), std::move(counted.result)});
  if (const auto more = disputes_.find({key.trial, key.shard}); more != disputes_.end()) {
    answers.insert(answers.end(), more->second.begin(), more->second.end());
  }
  return answers;
}

absl::StatusOr<bool> Experiment::ReportAudit(const std::string& worker, const ShardResult& result) {
  if (!scheduler_->WantsAnswerOf(result.key, worker)) return false;
  RETURN_IF_ERROR(CheckResult(result));
  const WorkerIdentity who = scheduler_->IdentityOf(worker);
  ASSIGN_OR_RETURN(std::vector<Answer> answers, AnswersTo(result.key));
  answers.push_back({who.name, who.device_class, result});
  const Ruling ruling = Rule(answers);
  if (!ruling.decided) {
    LogWarning(absl::StrFormat("workers %s and %s differ on %s: another one is to decide", answers.front().name,
                               who.name, Place(result.key)));
    disputes_[{result.key.trial, result.key.shard}].push_back(answers.back());
    scheduler_->AuditAnswered(result.key, who.name);
    return true;
  }
  RETURN_IF_ERROR(ruling.wrong.empty() ? SettleAudit(result.key, answers, ruling)
                                       : Quarantine(result.key, answers, ruling));
  if (const absl::Status advanced = AdvanceIfDue(); !advanced.ok()) LogWarning(Message(advanced));
  return true;
}

absl::Status Experiment::SettleAudit(const ShardKey& key, const std::vector<Answer>& answers, const Ruling& ruling) {
  AuditCommit commit{key.trial, key.shard, AuditState::kAgreed, ruling.all_equal, {}};
  for (const Answer& answer : answers) commit.trust.push_back(Agreed(answer.name));
  RETURN_IF_ERROR(store_.CommitAudit(commit, now_ms()));
  Believe(commit.trust);
  scheduler_->EndAudit(key.trial, key.shard);
  disputes_.erase({key.trial, key.shard});
  CloseTrial(key.trial);
  return absl::OkStatus();
}

absl::Status Experiment::Quarantine(const ShardKey& key, const std::vector<Answer>& answers, const Ruling& ruling) {
  const auto is_wrong = [&](const std::string& name) {
    return std::find(ruling.wrong.begin(), ruling.wrong.end(), name) != ruling.wrong.end();
  };
  RewindCommit commit;
  commit.names = ruling.wrong;
  commit.reopen_audited = is_wrong(answers.front().name);
  commit.audit = {key.trial, key.shard, AuditState::kAgreed, false, {}};
  std::vector<std::string> right;
  for (const Answer& answer : answers) {
    if (is_wrong(answer.name)) continue;
    if (answer.name != answers.front().name && Compare(answer, answers.front()) == Agreement::kEqual) {
      commit.audit->vouched = true;
    }
    right.push_back(answer.name);
    commit.trust.push_back(Agreed(answer.name));
  }
  commit.reason = absl::StrFormat("its answers to %s differ from those of %s, which agree", Place(key),
                                  absl::StrJoin(right, " and "));
  for (const std::string& name : ruling.wrong) {
    commit.trust.push_back({.name = name, .agreements = 0, .quarantined = true, .reason = commit.reason});
    LogError(absl::StrFormat("worker %s computes wrongly and is quarantined: %s", name, commit.reason));
  }
  commit.reason = absl::StrCat(absl::StrJoin(ruling.wrong, ", "), ": ", commit.reason);
  return Rewind(commit);
}

absl::Status Experiment::Rewind(const RewindCommit& commit) {
  reload_due_ = true;  // also when the commit fails after it was written
  ASSIGN_OR_RETURN(const RewindSummary summary, store_.Rewind(commit, now_ms()));
  if (summary.stage.has_value()) {
    LogWarning(
        absl::StrFormat("the run goes on from stage %d: %d of its shards are computed again, %d later stages are "
                        "taken back",
                        *summary.stage, summary.shards_reopened, summary.stages_removed));
  }
  // What was written stays so; should the reading fail, the next call tries it again.
  if (const absl::Status reloaded = Reload(); !reloaded.ok()) LogWarning(Message(reloaded));
  return absl::OkStatus();
}

// The slower answer to a straggler's shard: nobody needs it, but it tells something about both workers.
absl::Status Experiment::CompareOutrun(const std::string& worker, const ShardResult& result) {
  const WorkerIdentity who = scheduler_->IdentityOf(worker);
  if (finished() || !scheduler_->WasOutrun(result.key, worker) || !ReplicationIsOn(who.name)) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::vector<Answer> answers, AnswersTo(result.key));
  if (answers.size() != 1 || answers.front().name == who.name) return absl::OkStatus();
  const WorkerIdentity first{answers.front().name, answers.front().device_class};
  answers.push_back({who.name, who.device_class, result});
  if (const Ruling ruling = Rule(answers); ruling.decided) return SettleAudit(result.key, answers, ruling);
  const AuditCommit audit{result.key.trial, result.key.shard, AuditState::kDue, false, {}};
  RETURN_IF_ERROR(store_.CommitAudit(audit, now_ms()));
  RETURN_IF_ERROR(OpenForAudits({{result.key.trial, result.key.shard, first.name, first.device_class}}));
  disputes_[{result.key.trial, result.key.shard}].push_back(answers.back());
  scheduler_->AuditAnswered(result.key, who.name);
  return absl::OkStatus();
}

// A worker may be away for a moment only: an audit is given up when nobody could do it for a lease time.
absl::Status Experiment::GiveUpHopelessAudits() {
  const Clock::Duration now = clock_.Monotonic();
  const auto patience = Clock::Duration(static_cast<int64_t>(setup_.config.scheduling().lease_seconds() * 1000));
  std::map<std::pair<int64_t, int>, Clock::Duration> hopeless;
  for (const auto& shard : scheduler_->HopelessAudits()) {
    const auto since = hopeless_.find(shard);
    hopeless[shard] = since == hopeless_.end() ? now : since->second;
  }
  hopeless_ = hopeless;
  for (const auto& [shard, since] : hopeless) {
    if (now - since < patience) continue;
    RETURN_IF_ERROR(GiveUp(shard.first, shard.second));
    if (reload_due_ || !hopeless_.contains(shard)) return absl::OkStatus();  // what is left is another list now
  }
  return absl::OkStatus();
}

// Two workers differ and there is no third: neither is quarantined, for it may be either. The shard is computed again
// by the one that has agreed with others more often, the counted one's of equals, and counts unseen; it is the likelier
// to be right, and the run does not hang on the dispute. Both begin their record anew, so that whoever joins audits
// them.
absl::Status Experiment::GiveUp(int64_t trial, int shard) {
  const ShardKey key{trial, shard, 0};
  ASSIGN_OR_RETURN(const std::vector<Answer> answers, AnswersTo(key));
  if (answers.size() < 2) {
    LogWarning(absl::StrFormat("no other worker can compute %s of worker %s again: it counts unaudited", Place(key),
                               answers.front().name));
    RETURN_IF_ERROR(store_.CommitAudit({trial, shard, AuditState::kWaived, false, {}}, now_ms()));
    scheduler_->EndAudit(trial, shard);
    hopeless_.erase({trial, shard});
    CloseTrial(trial);
    return absl::OkStatus();
  }
  RewindCommit commit;
  commit.audit = {trial, shard, AuditState::kUndecided, false, {}};
  commit.reopen_audited = true;
  std::string better = answers.front().name;
  for (const Answer& answer : answers) {
    if (trust_.Of(answer.name).agreements > trust_.Of(better).agreements) better = answer.name;
    commit.trust.push_back(Distrusted(answer.name));
  }
  commit.reason = absl::StrFormat("workers %s and %s differ on %s, and nobody is there to decide", answers[0].name,
                                  answers[1].name, Place(key));
  LogError(absl::StrFormat("%s: check both machines. %s computes it again", commit.reason, better));
  RETURN_IF_ERROR(Rewind(commit));
  for (const Answer& answer : answers) {
    if (answer.name != better) scheduler_->Exclude(trial, shard, answer.name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int64_t>> Experiment::NewBest(const std::vector<TrialRecord>& trials) {
  const bool is_selection = stage_.kind == StageKind::kSelection;
  if (!is_selection && stage_.kind != StageKind::kGeneration) return std::nullopt;
  const Purpose purpose = is_selection ? Purpose::kRescore : Purpose::kSearch;
  const TrialRecord* best = nullptr;
  for (const TrialRecord& trial : trials) {
    if (trial.purpose != purpose || trial.state != TrialState::kDone) continue;
    if (best == nullptr || *trial.score > *best->score) best = &trial;
  }
  if (best == nullptr) return std::nullopt;
  if (!is_selection) {
    ASSIGN_OR_RETURN(const std::optional<double> before, store_.BestFitnessBefore(*stage_.phase, *stage_.generation));
    if (before.has_value() && *best->score <= *before) return std::nullopt;
  }
  return best->same_as.value_or(best->trial);
}

// The luckiest score is the likeliest to be a fault in the candidate's favour: a generation's new best, and the winner
// of a selection, count only when all their shards were computed by two workers.
absl::StatusOr<bool> Experiment::AuditNewBest(const std::vector<TrialRecord>& trials) {
  ASSIGN_OR_RETURN(const std::optional<int64_t> best, NewBest(trials));
  if (!best.has_value() || !AnyoneBut("", [&](const std::string& name) { return ReplicationIsOn(name); })) return false;
  ASSIGN_OR_RETURN(const std::vector<AuditRecord> audits, store_.AuditTrial(*best, now_ms()));
  RETURN_IF_ERROR(OpenForAudits(audits));
  return !audits.empty();
}

}  // namespace heterosis
