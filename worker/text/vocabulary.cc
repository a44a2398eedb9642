// SPDX-License-Identifier: Apache-2.0
// Implements vocabulary.h.
#include "worker/text/vocabulary.h"

#include <algorithm>

#include "common/base/status.h"

namespace heterosis {

absl::StatusOr<Vocabulary> Vocabulary::Make(std::vector<std::pair<std::string, int32_t>> entries) {
  const size_t id_limit = entries.size() * 2 + 100'000;
  size_t size = 0;
  for (const auto& [token, id] : entries) {
    if (id < 0 || static_cast<size_t>(id) >= id_limit) {
      return absl::InvalidArgumentError(
          absl::StrCat("the token \"", token, "\" has the id ", id, ", far beyond the ", entries.size(), " tokens"));
    }
    size = std::max(size, static_cast<size_t>(id) + 1);
  }
  Vocabulary vocabulary;
  vocabulary.tokens_.resize(size);
  vocabulary.ids_.reserve(entries.size());
  std::vector<bool> taken(size, false);
  for (auto& [token, id] : entries) {
    const auto row = static_cast<size_t>(id);
    if (taken[row]) {
      return absl::InvalidArgumentError(
          absl::StrCat("the tokens \"", vocabulary.tokens_[row], "\" and \"", token, "\" have the same id ", id));
    }
    taken[row] = true;
    vocabulary.tokens_[row] = std::move(token);
    if (!vocabulary.ids_.emplace(vocabulary.tokens_[row], id).second) {
      return absl::InvalidArgumentError(absl::StrCat("the token \"", vocabulary.tokens_[row], "\" occurs twice"));
    }
  }
  return vocabulary;
}

std::optional<int32_t> Vocabulary::IdOf(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string& Vocabulary::TokenOf(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < tokens_.size() ? tokens_[static_cast<size_t>(id)] : hole_;
}

}  // namespace heterosis
