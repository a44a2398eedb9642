// SPDX-License-Identifier: Apache-2.0
// Implements dataset.h.
#include "common/dataset/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "common/dataset/decimal.h"
#include "common/dataset/row_range.h"

namespace heterosis {
namespace {

struct Line {
  std::string_view text;
  size_t number = 0;  // from 1
};

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  return text;
}

// The lines that are not blank, without their ends.
std::vector<Line> LinesOf(std::string_view content) {
  std::vector<Line> lines;
  for (size_t number = 1; !content.empty(); ++number) {
    const size_t end = content.find('\n');
    std::string_view text = content.substr(0, end);
    content.remove_prefix(end == std::string_view::npos ? content.size() : end + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (!Trimmed(text).empty()) lines.push_back({text, number});
  }
  return lines;
}

absl::StatusOr<DataFormat> FormatOf(const DataSetOptions& options) {
  if (options.format != DataFormat::kAuto) return options.format;
  if (options.path.ends_with(".jsonl") || options.path.ends_with(".json")) return DataFormat::kJsonl;
  if (options.path.ends_with(".tsv")) return DataFormat::kTsv;
  return absl::InvalidArgumentError(
      absl::StrCat(options.path, ": the ending does not tell the format, set `format` to jsonl or tsv"));
}

absl::StatusOr<RowRange> SelectRows(const DataSetOptions& options, size_t row_count) {
  const absl::StatusOr<RowRange> range = ParseRowRange(options.rows, row_count);
  if (!range.ok()) return Annotate(range.status(), options.path);
  if (range->first == range->end) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.path, ": ",
        row_count == 0 ? "has no rows"
                       : absl::StrCat("rows \"", options.rows, "\" select none of its ", row_count, " rows"),
        ", check `path` and `rows`"));
  }
  return range;
}

// The two cells of a row as a problem; the caller adds where the row stands.
absl::StatusOr<Problem> MakeProblem(std::string question, std::optional<std::string> answer, std::string_view written) {
  if (Trimmed(question).empty()) return absl::InvalidArgumentError("the question is empty, fill it in or drop the row");
  if (!answer.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the answer \"", RepairUtf8(written.substr(0, 60)),
                     "\" is no number, write it like 1234, -5, 1,234.5 or \"... #### 18\""));
  }
  return Problem{std::move(question), *std::move(answer)};
}

// The keys of an object, to show what could have been asked for.
std::string KeysOf(const Json& row) {
  std::string keys;
  for (const auto& [key, value] : row.items()) absl::StrAppend(&keys, keys.empty() ? "" : ", ", key);
  return keys;
}

absl::StatusOr<const Json*> Member(const Json& row, const std::string& key, std::string_view column) {
  const Json* member = JsonFind(row, key);
  if (member != nullptr) return member;
  return absl::InvalidArgumentError(absl::StrCat("no key \"", key, "\" (there are: ", KeysOf(row), "), set `",
                                                 std::string(column), "` to one of them"));
}

absl::StatusOr<Problem> ProblemOfJson(const Json& row, const DataSetOptions& options) {
  if (!row.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("is ", row.type_name(), ", write an object like {\"",
                                                   options.question, "\": \"...\", \"", options.answer, "\": 18}"));
  }
  ASSIGN_OR_RETURN(const Json* const question, Member(row, options.question, "question"));
  ASSIGN_OR_RETURN(const Json* const answer, Member(row, options.answer, "answer"));
  if (!question->is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", options.question, "\" is ", question->type_name(), ", write a text"));
  }
  std::optional<std::string> number;
  if (answer->is_string()) {
    number = ParseGoldAnswer(answer->get_ref<const std::string&>());
  } else if (answer->is_number_float()) {
    number = PlainDecimal(answer->get<double>());
  } else if (answer->is_number()) {
    number = JsonText(*answer);
  }
  const std::string written = answer->is_string() ? answer->get<std::string>() : JsonText(*answer);
  return MakeProblem(question->get<std::string>(), std::move(number), written);
}

absl::StatusOr<std::vector<Problem>> ReadJsonArray(std::string_view content, const DataSetOptions& options) {
  const absl::StatusOr<Json> rows = ParseJson(content);
  if (!rows.ok()) return Annotate(rows.status(), options.path);
  ASSIGN_OR_RETURN(const RowRange range, SelectRows(options, rows->size()));
  std::vector<Problem> problems;
  for (size_t i = range.first; i < range.end; ++i) {
    absl::StatusOr<Problem> problem = ProblemOfJson((*rows)[i], options);
    if (!problem.ok()) return Annotate(problem.status(), absl::StrCat(options.path, ": row ", i));
    problems.push_back(*std::move(problem));
  }
  return problems;
}

absl::StatusOr<Problem> ProblemOfJsonLine(std::string_view line, const DataSetOptions& options) {
  const absl::StatusOr<Json> row = ParseJson(line);
  if (!row.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("not JSON, write one object per line (", std::string(row.status().message()), ")"));
  }
  return ProblemOfJson(*row, options);
}

absl::StatusOr<size_t> ColumnNumber(const std::string& text, std::string_view column, const DataSetOptions& options) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return absl::InvalidArgumentError(absl::StrCat(options.path, ": a TSV file has no column names, set `",
                                                 std::string(column), "` to a 0-based column number instead of \"",
                                                 text, "\""));
}

struct TsvColumns {
  size_t question;
  size_t answer;
};

absl::StatusOr<Problem> ProblemOfTsvLine(std::string_view line, const TsvColumns& columns) {
  if (!IsValidUtf8(line)) return absl::InvalidArgumentError("not UTF-8, convert the file");
  std::vector<std::string_view> cells;
  for (;;) {
    const size_t tab = line.find('\t');
    cells.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) break;
    line.remove_prefix(tab + 1);
  }
  const size_t wanted = std::max(columns.question, columns.answer);
  if (wanted >= cells.size()) {
    return absl::InvalidArgumentError(absl::StrCat("has ", cells.size(), " columns and no column ", wanted,
                                                   " (from 0), correct the row or `question` and `answer`"));
  }
  const std::string_view answer = cells[columns.answer];
  return MakeProblem(std::string(cells[columns.question]), ParseGoldAnswer(answer), answer);
}

// `parse` makes a problem of the text of one line.
template <typename Parse>
absl::StatusOr<std::vector<Problem>> ReadLines(std::string_view content, const DataSetOptions& options,
                                               const Parse& parse) {
  const std::vector<Line> lines = LinesOf(content);
  ASSIGN_OR_RETURN(const RowRange range, SelectRows(options, lines.size()));
  std::vector<Problem> problems;
  for (size_t i = range.first; i < range.end; ++i) {
    absl::StatusOr<Problem> problem = parse(lines[i].text);
    if (!problem.ok()) return Annotate(problem.status(), absl::StrCat(options.path, ":", lines[i].number));
    problems.push_back(*std::move(problem));
  }
  return problems;
}

}  // namespace

absl::StatusOr<std::vector<Problem>> ReadProblems(const DataSetOptions& options) {
  ASSIGN_OR_RETURN(const DataFormat format, FormatOf(options));
  ASSIGN_OR_RETURN(const std::string file, ReadFile(options.path));
  std::string_view content = file;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  if (format == DataFormat::kTsv) {
    TsvColumns columns{};
    ASSIGN_OR_RETURN(columns.question, ColumnNumber(options.question, "question", options));
    ASSIGN_OR_RETURN(columns.answer, ColumnNumber(options.answer, "answer", options));
    return ReadLines(content, options, [&](std::string_view line) { return ProblemOfTsvLine(line, columns); });
  }
  if (Trimmed(content).starts_with('[')) return ReadJsonArray(content, options);
  return ReadLines(content, options, [&](std::string_view line) { return ProblemOfJsonLine(line, options); });
}

absl::Status CheckDisjoint(const std::vector<Problem>& search, const std::vector<Problem>& validation,
                           const std::vector<Problem>& test) {
  struct Place {
    std::string_view split;
    size_t row;
  };
  using Split = std::pair<std::string_view, const std::vector<Problem>*>;
  const std::array<Split, 3> splits = {Split{"search", &search}, {"validation", &validation}, {"test", &test}};
  std::unordered_map<std::string_view, Place> seen;
  for (const auto& [split, problems] : splits) {
    for (size_t row = 0; row < problems->size(); ++row) {
      const auto [earlier, is_new] = seen.try_emplace(Trimmed((*problems)[row].question), Place{split, row});
      if (is_new || earlier->second.split == split) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("row ", row, " of ", std::string(split), " asks the same as row ", earlier->second.row, " of ",
                       std::string(earlier->second.split), ": \"", (*problems)[row].question,
                       "\"; a problem may be in one split only, correct `path` or `rows` of one of them"));
    }
  }
  return absl::OkStatus();
}

}  // namespace heterosis
