// SPDX-License-Identifier: Apache-2.0
// How the read-only commands print: format names, percentages, columns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

enum class Format { kTable, kJson, kCsv };

// "65.8%", or "-" for an absent score.
std::string Percent(std::optional<double> fraction);

// As Percent with the 95% Wilson interval of a score on `count` samples: "65.8% [60.2, 71.0]".
std::string PercentWithInterval(std::optional<double> fraction, int count);

// Rows as text in aligned columns, two spaces apart; the first row is the heading. Columns after the first `left` ones
// are aligned to the right.
std::string Columns(const std::vector<std::vector<std::string>>& rows, size_t left);

// One CSV line (RFC 4180) with its line end.
std::string CsvLine(const std::vector<std::string>& fields);

}  // namespace heterosis
