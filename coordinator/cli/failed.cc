// SPDX-License-Identifier: Apache-2.0
// Implements failed.h.
#include "coordinator/cli/failed.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "coordinator/store/reader.h"

namespace heterosis {
namespace {

std::string FailedJson(const ExperimentSummary& experiment, const std::vector<FailedRow>& rows) {
  Json document;
  document["experiment"] = experiment.name;
  document["state"] = std::string(Name(experiment.state));
  document["failed"] = Json::array();
  for (const FailedRow& row : rows) {
    document["failed"].push_back({{"trial", row.trial},
                                  {"phase", row.phase.empty() ? Json(nullptr) : Json(row.phase)},
                                  {"generation", row.generation.has_value() ? Json(*row.generation) : Json(nullptr)},
                                  {"origin", std::string(Name(row.origin))},
                                  {"label", row.label},
                                  {"purpose", std::string(Name(row.purpose))},
                                  {"state", std::string(Name(row.state))},
                                  {"class", row.failure.empty() ? Json(nullptr) : Json(row.failure)},
                                  {"message", row.message},
                                  {"attempts", row.attempts},
                                  {"workers", row.workers}});
  }
  return JsonText(document, 2) + "\n";
}

std::vector<std::string> Cells(const FailedRow& row, const std::string& none) {
  const auto text = [&](const std::string& value) { return value.empty() ? none : value; };
  return {absl::StrCat(row.trial),
          text(row.phase),
          row.generation.has_value() ? absl::StrCat(*row.generation) : none,
          std::string(Name(row.origin)),
          std::string(Name(row.purpose)),
          std::string(Name(row.state)),
          text(row.failure),
          absl::StrCat(row.attempts),
          text(absl::StrJoin(row.workers, ", ")),
          text(row.message)};
}

const std::vector<std::string> kHeading = {"trial", "phase", "generation", "origin",  "purpose",
                                           "state", "class", "attempts",   "workers", "message"};

std::string FailedTable(const ExperimentSummary& experiment, const std::vector<FailedRow>& rows) {
  std::string text = absl::StrFormat("experiment %s: of %d trials %d failed and %d are infeasible\n", experiment.name,
                                     experiment.trials, experiment.failed, experiment.infeasible);
  if (rows.empty()) return text;
  std::vector<std::vector<std::string>> table = {kHeading};
  for (const FailedRow& row : rows) {
    table.push_back(Cells(row, "-"));
    // The first line says what it is; `show` and JSON have all.
    std::string& message = table.back().back();
    message.resize(std::min(message.size(), message.find('\n')));
  }
  return text + "\n" + Columns(table, kHeading.size());
}

}  // namespace

absl::StatusOr<std::string> Failed(const std::string& database, Format format) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(database));
  ASSIGN_OR_RETURN(const ExperimentSummary experiment, reader->Experiment());
  ASSIGN_OR_RETURN(const std::vector<FailedRow> rows, reader->Failed());
  if (format == Format::kJson) return FailedJson(experiment, rows);
  if (format == Format::kTable) return FailedTable(experiment, rows);
  std::string text = CsvLine(kHeading);
  for (const FailedRow& row : rows) text += CsvLine(Cells(row, ""));
  return text;
}

}  // namespace heterosis
