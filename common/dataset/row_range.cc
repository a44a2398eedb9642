// SPDX-License-Identifier: Apache-2.0
// Implements row_range.h.
#include "common/dataset/row_range.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/status.h"

namespace heterosis {
namespace {

// One side of a range; nothing where it is left out.
absl::StatusOr<std::optional<int64_t>> ParseBound(std::string_view text) {
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", std::string(text), "\" is no whole number"));
  }
  return value;
}

size_t Resolve(int64_t bound, size_t row_count) {
  const auto count = static_cast<int64_t>(row_count);
  if (bound < 0) bound = std::max<int64_t>(bound, -count) + count;
  return static_cast<size_t>(std::min(bound, count));
}

}  // namespace

absl::StatusOr<RowRange> ParseRowRange(std::string_view text, size_t row_count) {
  if (text.empty()) return RowRange{0, row_count};
  constexpr std::string_view kHelp =
      "write rows as \"first:end\" with 0-based rows, for example \"0:869\" or \"-200:\"";
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("rows \"", std::string(text), "\" have no colon: ", std::string(kHelp)));
  }
  const auto first = ParseBound(text.substr(0, colon));
  const auto end = ParseBound(text.substr(colon + 1));
  for (const auto* bound : {&first, &end}) {
    if (bound->ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "rows \"", std::string(text), "\": ", std::string(bound->status().message()), ": ", std::string(kHelp)));
  }
  RowRange range{Resolve(first->value_or(0), row_count), end->has_value() ? Resolve(**end, row_count) : row_count};
  range.end = std::max(range.end, range.first);
  return range;
}

}  // namespace heterosis
