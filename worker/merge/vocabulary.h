// SPDX-License-Identifier: Apache-2.0
// Which row of a source's embedding (or head) belongs to each row of the merged model's: matched by token, never by
// position.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace heterosis {

// Row i of the output takes row rows[i] of the source, or none (-1). Empty rows: every row takes the one in its place.
struct RowMap {
  std::vector<int32_t> rows;
  int64_t matched = 0;  // rows found by their token
  int64_t moved = 0;    // of these, at another place than in the output
  int64_t padding = 0;  // rows without a token in both, matched by place
  int64_t missing = 0;  // rows that the source lacks
};

// Vocabularies hold the token of each id; an empty text or an id beyond the end is a row without a token (padding). A
// padding row is matched by place, if the source's row there is padding too. Of a token that occurs twice the first
// counts.
RowMap MatchRows(std::span<const std::string> output, int64_t output_rows, std::span<const std::string> source,
                 int64_t source_rows);

}  // namespace heterosis
