// SPDX-License-Identifier: Apache-2.0
// Implements the part of experiment.h that asks workers for canaries, and draws the conclusions from their answers:
// before a session's first shard, after an error of its device, and after every so many shards.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/experiment/experiment.h"

namespace heterosis {
namespace {

constexpr size_t kProblems = 3;
// In a row, after which a session gets no more work.
constexpr int kFailuresMax = 3;

}  // namespace

// The first parent as it is: what a worker merges first anyway. Known to be computable, and the same for every worker
// and every start, as the reference in the database must be.
CanaryWork Experiment::TheCanary() const {
  CanaryWork work;
  const std::string parent = ParentNames(setup_.config).front();
  work.recipe = SingleModelRecipe(parent, parent, phases_.front().out_dtype());
  const size_t count = std::min(kProblems, setup_.search.size());
  work.problems.assign(setup_.search.begin(), setup_.search.begin() + static_cast<std::ptrdiff_t>(count));
  return work;
}

// The coordinator's own workers share one machine: among themselves they would only confirm what is wrong with it, and
// the first command that someone runs is not to wait for it. They get canaries where they are audited.
bool Experiment::CanariesAreOn(const std::string& name) const {
  if (setup_.config.scheduling().canary_every() == 0 || setup_.search.empty()) return false;
  if (!setup_.local_workers.contains(name)) return true;
  if (setup_.config.scheduling().replication() == v1::Scheduling::ALWAYS) return true;
  return scheduler_->AnyoneBut(name,
                               [&](const WorkerIdentity& other) { return !setup_.local_workers.contains(other.name); });
}

void Experiment::DoubtDevice(const std::string& worker) {
  SessionCanary& session = session_canaries_[worker];
  session.due = true;
  session.vouches_since_ms = now_ms();
}

void Experiment::CountShard(const std::string& worker) {
  SessionCanary& session = session_canaries_[worker];
  const int every = setup_.config.scheduling().canary_every();
  if (every > 0 && ++session.shards >= every) session.due = true;
}

std::optional<CanaryWork> Experiment::CanaryFor(const std::string& worker) {
  if (finished() || store_.paused() || scheduler_->IsBarred(worker)) return std::nullopt;
  SessionCanary& session = session_canaries_[worker];
  if (!session.due || !CanariesAreOn(scheduler_->IdentityOf(worker).name)) return std::nullopt;
  scheduler_->Hear(worker, clock_.Monotonic());
  if (session.number == 0) session.number = ++last_canary_number_;
  CanaryWork work = TheCanary();
  work.number = session.number;
  return work;
}

absl::StatusOr<bool> Experiment::ReportCanary(const std::string& worker, CanaryResult result) {
  RETURN_IF_ERROR(AdvanceIfDue());  // a rewind that was not taken over has a book that is out of date
  SessionCanary& session = session_canaries_[worker];
  if (finished() || session.number == 0 || session.number != result.number || scheduler_->IsBarred(worker))
    return false;
  if (!result.failure.has_value() && result.answers.size() != TheCanary().problems.size()) {
    return absl::InvalidArgumentError(absl::StrFormat("a canary's result with %d answers instead of %d",
                                                      result.answers.size(), TheCanary().problems.size()));
  }
  if (!result.failure.has_value()) {
    if (const absl::Status sane = CompareCanary(result, result, Tolerance()); !sane.ok()) {
      result = {.number = result.number, .failure = FailureClass::kNumeric, .message = Message(sane)};
    }
  }
  if (result.failure.has_value()) return ReportFailedCanary(worker, session, result);
  const std::string name = scheduler_->IdentityOf(worker).name;
  CanaryBook book = canaries_;
  const CanaryRuling ruling = book.Add(name, result);
  RETURN_IF_ERROR(ruling.wrong.empty() ? Commit(worker, ruling, std::move(book)) : Quarantine(worker, ruling));
  session.due = false;
  session.number = 0;
  session.shards = 0;
  session.failures = 0;
  TellUnlessPaused(AdvanceIfDue());
  return true;
}

CanaryTolerance Experiment::Tolerance() const {
  const bool is_float32 = setup_.config.evaluation().dtype() == v1::Evaluation::FLOAT32;
  return ToleranceFor(is_float32 ? DType::kFloat32 : DType::kBFloat16);
}

CanaryCommit Experiment::CommitOf(const std::string& worker, const CanaryRecord& record) const {
  CanaryCommit commit{.record = record, .worker = worker, .vouches_since_ms = std::nullopt};
  if (record.outcome == CanaryOutcome::kGood) {
    const auto session = session_canaries_.find(worker);
    commit.vouches_since_ms = session == session_canaries_.end() ? -1 : session->second.vouches_since_ms;
  }
  return commit;
}

absl::Status Experiment::Commit(const std::string& worker, const CanaryRuling& ruling, CanaryBook book) {
  RETURN_IF_ERROR(store_.CommitCanary(CommitOf(worker, ruling.record), now_ms()));
  canaries_ = std::move(book);
  scheduler_->SetWaiting(canaries_.waiting());
  if (ruling.record.outcome == CanaryOutcome::kWaits) {
    LogError(
        absl::StrFormat("workers %s and %s differ on the canary (%s): check both machines. While others are there, "
                        "%s gets no work until another worker's answer decides",
                        ruling.differs_from, ruling.record.name, ruling.record.message, ruling.record.name));
  }
  return absl::OkStatus();
}

absl::Status Experiment::Quarantine(const std::string& worker, const CanaryRuling& ruling) {
  RewindCommit commit;
  commit.names = ruling.wrong;
  commit.canary = CommitOf(worker, ruling.record);
  for (const std::string& name : ruling.wrong) {
    commit.trust.push_back({.name = name, .agreements = 0, .quarantined = true, .reason = ruling.reason});
    LogError(absl::StrFormat("worker %s computes wrongly and is quarantined: %s", name, ruling.reason));
  }
  commit.reason = absl::StrCat(absl::StrJoin(ruling.wrong, ", "), ": ", ruling.reason);
  return Rewind(commit);  // which reads the book anew
}

// A failure is no wrong answer, and has passed by itself where memory was short for a moment or the evaluation was
// killed. A device that fails again and again gets nothing to spoil; one that has too little memory fails trials in a
// way of their own, and may do those that it can.
absl::StatusOr<bool> Experiment::ReportFailedCanary(const std::string& worker, SessionCanary& session,
                                                    const CanaryResult& result) {
  const std::string name = scheduler_->IdentityOf(worker).name;
  const FailureClass failure = *result.failure;
  if (failure == FailureClass::kInfra) {
    session.number = 0;
    return true;
  }
  CanaryBook book = canaries_;
  const CanaryRuling ruling = book.Add(name, result);
  RETURN_IF_ERROR(Commit(worker, ruling, std::move(book)));
  session.number = 0;
  if (failure == FailureClass::kMemory) {
    session.due = false;
    session.shards = 0;
    LogWarning(
        absl::StrFormat("worker %s has too little memory for the canary; it works without: %s", name, result.message));
    return true;
  }
  LogWarning(absl::StrFormat("worker %s could not compute the canary (%s): %s", name, Name(failure), result.message));
  if (failure != FailureClass::kInvalid && ++session.failures < kFailuresMax) return true;
  LogError(absl::StrFormat(
      "worker %s gets no more work: it cannot compute the canary, the model \"%s\" as it is. Should no "
      "worker be able to, then look at the model rather than at the machines: worker generate --model DIR",
      name, ParentNames(setup_.config).front()));
  if (const std::optional<ShardKey> held = scheduler_->HeldBy(worker); held.has_value()) {
    RETURN_IF_ERROR(Fail(worker, {*held, FailureClass::kInfra, "the worker cannot compute the canary"}));
  }
  scheduler_->Bar(worker);
  return true;
}

absl::Status Experiment::LoadCanaries() {
  ASSIGN_OR_RETURN(const std::vector<CanaryRecord> records, store_.Canaries());
  canaries_ = CanaryBook(Tolerance(), records);
  return absl::OkStatus();
}

}  // namespace heterosis
