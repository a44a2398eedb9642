// SPDX-License-Identifier: Apache-2.0
// Implements vocabulary.h.
#include "worker/merge/vocabulary.h"

#include <string_view>
#include <unordered_map>

namespace heterosis {
namespace {

std::string_view TokenOf(std::span<const std::string> vocabulary, int64_t row) {
  return row < static_cast<int64_t>(vocabulary.size()) ? std::string_view(vocabulary[static_cast<size_t>(row)])
                                                       : std::string_view();
}

}  // namespace

RowMap MatchRows(std::span<const std::string> output, int64_t output_rows, std::span<const std::string> source,
                 int64_t source_rows) {
  std::unordered_map<std::string_view, int64_t> row_of;
  for (int64_t row = 0; row < source_rows; ++row) {
    if (const std::string_view token = TokenOf(source, row); !token.empty()) row_of.emplace(token, row);
  }
  RowMap map;
  map.rows.resize(static_cast<size_t>(output_rows), -1);
  bool in_place = output_rows == source_rows;
  for (int64_t row = 0; row < output_rows; ++row) {
    const std::string_view token = TokenOf(output, row);
    int64_t found = -1;
    if (!token.empty()) {
      const auto entry = row_of.find(token);
      if (entry != row_of.end()) found = entry->second;
      map.matched += found >= 0 ? 1 : 0;
      map.moved += found >= 0 && found != row ? 1 : 0;
    } else if (row < source_rows && TokenOf(source, row).empty()) {
      found = row;
      ++map.padding;
    }
    map.missing += found < 0 ? 1 : 0;
    in_place = in_place && found == row;
    map.rows[static_cast<size_t>(row)] = static_cast<int32_t>(found);
  }
  if (in_place) map.rows.clear();
  return map;
}

}  // namespace heterosis
