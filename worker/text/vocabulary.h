// SPDX-License-Identifier: Apache-2.0
// Tokens by id and ids by token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// Immutable once made; thread-safe. Ids may have holes, which hold the empty token.
class Vocabulary {
 public:
  // Refuses an id or a token given twice, and ids so sparse that a table by id would be absurdly large. Errors name
  // the token.
  static absl::StatusOr<Vocabulary> Make(std::vector<std::pair<std::string, int32_t>> entries);

  Vocabulary() = default;
  // The map's keys point into tokens_, which a copy would leave behind; a move does not.
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  std::optional<int32_t> IdOf(std::string_view token) const;
  // "" for a hole and for ids out of range.
  const std::string& TokenOf(int32_t id) const;

  // By id; size() is the highest id + 1.
  const std::vector<std::string>& tokens() const { return tokens_; }
  // How many tokens there are, holes not counted.
  size_t count() const { return ids_.size(); }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, int32_t> ids_;
  std::string hole_;
};

}  // namespace heterosis
