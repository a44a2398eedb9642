// SPDX-License-Identifier: Apache-2.0
// Implements format.h.
#include "coordinator/cli/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/scoring/fitness.h"

namespace heterosis {
namespace {

// Characters as a terminal counts them, well enough for names: code points.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string Percent(std::optional<double> fraction) {
  return fraction.has_value() ? absl::StrFormat("%.1f%%", 100 * *fraction) : "-";
}

std::string PercentWithInterval(std::optional<double> fraction, int count) {
  if (!fraction.has_value() || count == 0) return Percent(fraction);
  const Interval interval = WilsonInterval(static_cast<int>(std::lround(*fraction * count)), count);
  return absl::StrFormat("%s [%.1f, %.1f]", Percent(fraction), 100 * interval.low, 100 * interval.high);
}

std::string Columns(const std::vector<std::vector<std::string>>& rows, size_t left) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - Width(row[i]), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", i < left ? row[i] + padding : padding + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    if (fields[i].find_first_of(",\"\n\r") == std::string::npos) {
      line += fields[i];
    } else {
      absl::StrAppend(&line, "\"", absl::StrReplaceAll(fields[i], {{"\"", "\"\""}}), "\"");
    }
  }
  return line + "\r\n";
}

}  // namespace heterosis
