// SPDX-License-Identifier: Apache-2.0
// Implements canary_book.h.
#include "coordinator/experiment/canary_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace heterosis {

CanaryBook::CanaryBook(const CanaryTolerance& tolerance, const std::vector<CanaryRecord>& records)
    : tolerance_(tolerance) {
  if (records.empty()) return;
  last_ = records.back().canary;
  const auto good = std::find_if(records.rbegin(), records.rend(),
                                 [](const CanaryRecord& record) { return record.outcome == CanaryOutcome::kGood; });
  if (good == records.rend()) return;
  confirmed_ = good->confirmed;
  for (const CanaryRecord& record : records) {
    if (record.canary == good->reference) {
      reference_ = Entry{record.canary, record.name, record.result};
      supporters_.insert(record.name);
    }
    if (record.outcome == CanaryOutcome::kGood && record.reference == good->reference) supporters_.insert(record.name);
  }
  if (confirmed_) return;
  for (const CanaryRecord& record : records) {
    if (record.outcome != CanaryOutcome::kWaits || supporters_.contains(record.name)) continue;
    std::erase_if(waiting_, [&](const Entry& entry) { return entry.name == record.name; });
    waiting_.push_back({record.canary, record.name, record.result});
  }
}

std::set<std::string> CanaryBook::waiting() const {
  std::set<std::string> names;
  for (const Entry& entry : waiting_) names.insert(entry.name);
  return names;
}

CanaryRuling CanaryBook::Add(const std::string& name, const CanaryResult& result) {
  CanaryRuling ruling;
  ruling.record = {.canary = ++last_, .name = name, .result = result, .message = result.message};
  if (result.failure.has_value()) return ruling;
  if (!reference_.has_value()) {
    reference_ = Entry{last_, name, result};
    return Agree(std::move(ruling));
  }
  const absl::Status same = CompareCanary(reference_->result, result, tolerance_);
  return same.ok() ? Agree(std::move(ruling)) : Differ(std::move(ruling), Message(same));
}

CanaryRuling CanaryBook::Agree(CanaryRuling ruling) {
  ruling.record.outcome = CanaryOutcome::kGood;
  ruling.record.reference = reference_->canary;
  supporters_.insert(ruling.record.name);
  std::erase_if(waiting_, [&](const Entry& entry) { return entry.name == ruling.record.name; });
  confirmed_ = confirmed_ || supporters_.size() > 1;
  ruling.record.confirmed = confirmed_;
  if (confirmed_ && !waiting_.empty()) {
    for (const Entry& entry : waiting_) ruling.wrong.push_back(entry.name);
    ruling.reason = absl::StrCat("its answer to the canary differs from those of ", absl::StrJoin(supporters_, " and "),
                                 ", which agree");
    waiting_.clear();
  }
  return ruling;
}

CanaryRuling CanaryBook::Differ(CanaryRuling ruling, const std::string& why) {
  const std::string name = ruling.record.name;
  ruling.record.message = why;
  if (confirmed_ || supporters_.contains(name)) {
    ruling.record.outcome = CanaryOutcome::kWrong;
    ruling.wrong = {name};
    ruling.reason = absl::StrCat("its answer to the canary differs from ",
                                 confirmed_ ? "one that two workers have given" : "its own before", " (", why, ")");
    Remove(name);
    return ruling;
  }
  std::erase_if(waiting_, [&](const Entry& entry) { return entry.name == name; });
  const auto partner = std::find_if(waiting_.begin(), waiting_.end(), [&](const Entry& entry) {
    return CompareCanary(entry.result, ruling.record.result, tolerance_).ok();
  });
  if (partner == waiting_.end()) {
    ruling.record.outcome = CanaryOutcome::kWaits;
    ruling.differs_from = reference_->name;
    waiting_.push_back({ruling.record.canary, name, ruling.record.result});
    return ruling;
  }
  ruling.record.message.clear();
  const std::set<std::string> losers = std::exchange(supporters_, {partner->name});
  reference_ = std::move(*partner);
  waiting_.erase(partner);
  ruling = Agree(std::move(ruling));
  ruling.reason = absl::StrCat("its answer to the canary differs from those of ", absl::StrJoin(supporters_, " and "),
                               ", which agree");
  ruling.wrong.insert(ruling.wrong.end(), losers.begin(), losers.end());
  return ruling;
}

void CanaryBook::Remove(const std::string& name) {
  std::erase_if(waiting_, [&](const Entry& entry) { return entry.name == name; });
  if (confirmed_ || !supporters_.contains(name)) return;
  reference_.reset();
  supporters_.clear();
  if (waiting_.empty()) return;
  reference_ = std::move(waiting_.front());
  supporters_ = {reference_->name};
  waiting_.erase(waiting_.begin());
}

}  // namespace heterosis
