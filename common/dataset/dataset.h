// SPDX-License-Identifier: Apache-2.0
// Reads the problems of one split from a file: JSON lines, a JSON array, or tab-separated columns.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/problem.h"

namespace heterosis {

enum class DataFormat {
  kAuto,   // by the file's ending: .jsonl and .json are kJsonl, .tsv is kTsv
  kJsonl,  // one object per line, or one array of objects
  kTsv,    // no header, no quoting; columns are numbers
};

struct DataSetOptions {
  std::string path;
  DataFormat format = DataFormat::kAuto;
  std::string question = "question";  // a key of each object, or the 0-based number of a TSV column
  std::string answer = "answer";      // likewise; its value is a number or a text that ParseGoldAnswer reads
  std::string rows;                   // "first:end", a Python slice of the rows; empty = all
};

// The problems in the file's order. Blank lines are no rows; a byte order mark and CRLF are tolerated; of rows outside
// `rows` only the JSON syntax of an array is looked at. Errors are "file:line: what is wrong, what to do" (the number
// of the row instead of a line for a JSON array). A selection without rows, an empty question and an unreadable answer
// are errors.
absl::StatusOr<std::vector<Problem>> ReadProblems(const DataSetOptions& options);

// An error that names both rows (0-based, within their splits) where the same question, but for the blanks around it,
// stands in two splits. A question that is repeated within one split is accepted.
absl::Status CheckDisjoint(const std::vector<Problem>& search, const std::vector<Problem>& validation,
                           const std::vector<Problem>& test);

}  // namespace heterosis
