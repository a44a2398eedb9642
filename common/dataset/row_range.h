// SPDX-License-Identifier: Apache-2.0
// Row ranges as users write them: "first:end", a Python slice.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"

namespace heterosis {

struct RowRange {
  size_t first = 0;
  size_t end = 0;  // excluded; never before `first`, never past the rows
  bool operator==(const RowRange&) const = default;
};

// What text[first:end] selects of `row_count` rows in Python: either side may be left out, negative numbers count from
// the end, bounds past the ends are cut. The empty text is all rows. An error says how ranges are written.
absl::StatusOr<RowRange> ParseRowRange(std::string_view text, size_t row_count);

}  // namespace heterosis
