// SPDX-License-Identifier: Apache-2.0
// Implements the parts of store.h and rewind.h about canaries.
#include <utility>

#include "common/base/json.h"
#include "common/base/status.h"
#include "coordinator/store/rewind.h"
#include "coordinator/store/store.h"

namespace heterosis {
namespace {

std::string AnswersToText(const std::vector<CanaryAnswer>& answers) {
  Json problems = Json::array();
  for (const CanaryAnswer& answer : answers) {
    Json steps = Json::array();
    for (const CanaryStep& step : answer) {
      Json ranks = Json::array();
      for (const TokenLogit& entry : step) ranks.push_back(Json::array({entry.token, entry.logit}));
      steps.push_back(std::move(ranks));
    }
    problems.push_back(std::move(steps));
  }
  return JsonText(problems);
}

absl::StatusOr<std::vector<CanaryAnswer>> AnswersFromText(int64_t canary, const std::string& text) {
  const auto damaged = [&] {
    return absl::DataLossError(absl::StrCat("the answer of canary ", canary, " is damaged"));
  };
  ASSIGN_OR_RETURN(const Json problems, ParseJson(text));
  std::vector<CanaryAnswer> answers;
  if (!problems.is_array()) return damaged();
  for (const Json& steps : problems) {
    CanaryAnswer& answer = answers.emplace_back();
    if (!steps.is_array()) return damaged();
    for (const Json& ranks : steps) {
      CanaryStep& step = answer.emplace_back();
      if (!ranks.is_array()) return damaged();
      for (const Json& entry : ranks) {
        const bool is_pair = entry.is_array() && entry.size() == 2;
        if (!is_pair || !entry[0].is_number_integer() || !entry[1].is_number()) return damaged();
        step.push_back({entry[0].get<int32_t>(), entry[1].get<float>()});
      }
    }
  }
  return answers;
}

// What another worker has vouched for stays so: that says more. A canary does not spare a new best its audit.
absl::Status Vouch(Database& database, const std::string& worker, int64_t since_ms) {
  for (const char* sql :
       {"UPDATE shards SET vouched = 2 WHERE worker = ? AND state = 'done' AND vouched = 0 AND finished_ms > ?",
        "UPDATE kept_shards SET vouched = 2 WHERE worker = ? AND vouched = 0 AND finished_ms > ?",
        "UPDATE failures SET vouched = 1 WHERE worker = ? AND vouched = 0 AND time_ms > ?"}) {
    ASSIGN_OR_RETURN(Statement vouch, database.Prepare(sql));
    RETURN_IF_ERROR(vouch.Bind(worker).Bind(since_ms).Run());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteCanary(Database& database, const CanaryCommit& commit, int64_t now_ms) {
  const CanaryRecord& record = commit.record;
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO canaries (canary, worker, outcome, reference, confirmed, answer, "
                                    "message, time_ms) VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?, ?)"));
  insert.Bind(record.canary).Bind(commit.worker).Bind(Name(record.outcome)).Bind(record.reference);
  insert.Bind(record.confirmed).Bind(AnswersToText(record.result.answers)).Bind(record.message);
  RETURN_IF_ERROR(insert.Bind(now_ms).Run());
  return commit.vouches_since_ms.has_value() ? Vouch(database, commit.worker, *commit.vouches_since_ms)
                                             : absl::OkStatus();
}

absl::Status Store::CommitCanary(const CanaryCommit& commit, int64_t now_ms) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(WriteCanary(*database_, commit, now_ms));
  return Commit(transaction, "canary");
}

absl::StatusOr<std::vector<CanaryRecord>> Store::Canaries() {
  ASSIGN_OR_RETURN(Statement rows,
                   database_->Prepare("SELECT c.canary, w.name, c.outcome, coalesce(c.reference, 0), c.confirmed, "
                                      "c.answer, c.message FROM intact_canaries c JOIN workers w ON w.worker = "
                                      "c.worker ORDER BY c.canary"));
  std::vector<CanaryRecord> canaries;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return canaries;
    CanaryRecord record{.canary = rows.Int(0), .name = rows.Text(1)};
    ASSIGN_OR_RETURN(record.outcome, CanaryOutcomeFromName(rows.Text(2)));
    record.reference = rows.Int(3);
    record.confirmed = rows.Int(4) != 0;
    ASSIGN_OR_RETURN(record.result.answers, AnswersFromText(record.canary, rows.Text(5)));
    record.message = rows.Text(6);
    canaries.push_back(std::move(record));
  }
}

}  // namespace heterosis
