// SPDX-License-Identifier: Apache-2.0
// Implements best.h.
#include "coordinator/cli/best.h"

#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "coordinator/store/reader.h"

namespace heterosis {
namespace {

struct Content {
  ExperimentSummary experiment;
  std::vector<ParentRow> parents;
  std::vector<BestRow> baselines;
  std::vector<BestRow> genomes;
};

Json ScoreJson(std::optional<double> score) {
  return score.has_value() ? Json(*score) : Json(nullptr);
}

// The name of a baseline: what a script looks for.
std::string BaselineName(const BestRow& row) {
  return row.origin == Origin::kMean ? "start" : row.label;
}

std::string BestJson(const Content& content) {
  Json document;
  document["experiment"] = content.experiment.name;
  document["state"] = std::string(Name(content.experiment.state));
  document["phases"] = Json::array();
  for (const PhaseRecord& phase : content.experiment.phases) {
    document["phases"].push_back({{"name", phase.name},
                                  {"dimension", phase.dimension},
                                  {"population", phase.population},
                                  {"generations", phase.generations}});
  }
  document["parents"] = Json::array();
  for (const ParentRow& parent : content.parents) {
    document["parents"].push_back({{"name", parent.name},
                                   {"trial", parent.trial},
                                   {"search", ScoreJson(parent.scores.search)},
                                   {"validation", ScoreJson(parent.scores.validation)},
                                   {"test", ScoreJson(parent.scores.test)}});
  }
  document["baselines"] = Json::array();
  for (const BestRow& row : content.baselines) {
    document["baselines"].push_back({{"name", BaselineName(row)},
                                     {"trial", row.trial},
                                     {"phase", row.phase},
                                     {"search", ScoreJson(row.scores.search)},
                                     {"validation", ScoreJson(row.scores.validation)},
                                     {"test", ScoreJson(row.scores.test)}});
  }
  document["genomes"] = Json::array();
  for (const BestRow& row : content.genomes) {
    document["genomes"].push_back({{"trial", row.trial},
                                   {"phase", row.phase},
                                   {"generation", row.generation},
                                   {"origin", std::string(Name(row.origin))},
                                   {"label", row.label},
                                   {"fitness", ScoreJson(row.fitness)},
                                   {"search", ScoreJson(row.scores.search)},
                                   {"validation", ScoreJson(row.scores.validation)},
                                   {"test", ScoreJson(row.scores.test)},
                                   {"chosen", row.chosen},
                                   {"genome", row.genome},
                                   {"recipe", RecipeToJson(row.recipe)}});
  }
  return JsonText(document, 2) + "\n";
}

std::string BestCsv(const Content& content) {
  const auto number = [](std::optional<double> value) {
    return value.has_value() ? absl::StrFormat("%.17g", *value) : "";
  };
  std::string text = CsvLine(
      {"kind", "name", "trial", "phase", "generation", "origin", "fitness", "search", "validation", "test", "chosen"});
  for (const ParentRow& parent : content.parents) {
    text += CsvLine({"parent", parent.name, absl::StrCat(parent.trial), "", "", "parent", "",
                     number(parent.scores.search), number(parent.scores.validation), number(parent.scores.test), ""});
  }
  const auto line = [&](const std::string& kind, const std::string& name, const BestRow& row) {
    return CsvLine({kind, name, absl::StrCat(row.trial), row.phase, absl::StrCat(row.generation),
                    std::string(Name(row.origin)), number(row.fitness), number(row.scores.search),
                    number(row.scores.validation), number(row.scores.test), row.chosen ? "1" : "0"});
  };
  for (const BestRow& row : content.baselines) text += line("baseline", BaselineName(row), row);
  for (const BestRow& row : content.genomes) text += line("genome", row.label, row);
  return text;
}

std::string Described(const BestRow& row) {
  return absl::StrCat(std::string(Name(row.origin)), row.label.empty() ? "" : absl::StrCat(" (", row.label, ")"));
}

std::string BestTable(const Content& content) {
  const ExperimentSummary& experiment = content.experiment;
  std::string text = absl::StrFormat("experiment %s: %s", experiment.name, Name(experiment.state));
  if (!experiment.error.empty()) absl::StrAppend(&text, " (", experiment.error, ")");
  absl::StrAppendFormat(&text, "\nproblems: %d search, %d validation, %d test; trials: %d", experiment.search_size,
                        experiment.validation_size, experiment.test_size, experiment.trials);
  if (experiment.failed > 0) absl::StrAppendFormat(&text, ", %d failed", experiment.failed);
  if (experiment.infeasible > 0) absl::StrAppendFormat(&text, ", %d infeasible", experiment.infeasible);
  text += "\n\n";
  std::vector<std::vector<std::string>> rows = {
      {"", "trial", "phase", "generation", "origin", "fitness", "search", "validation", "test [95% interval]"}};
  for (const ParentRow& parent : content.parents) {
    rows.push_back({"", absl::StrCat(parent.trial), "-", "-", absl::StrCat("parent (", parent.name, ")"), "-",
                    Percent(parent.scores.search), Percent(parent.scores.validation),
                    PercentWithInterval(parent.scores.test, experiment.test_size)});
  }
  const auto cells = [&](const std::string& mark, const std::string& what, const BestRow& row) {
    return std::vector<std::string>{mark,
                                    absl::StrCat(row.trial),
                                    row.phase,
                                    absl::StrCat(row.generation),
                                    what,
                                    Percent(row.fitness),
                                    Percent(row.scores.search),
                                    Percent(row.scores.validation),
                                    PercentWithInterval(row.scores.test, experiment.test_size)};
  };
  for (const BestRow& row : content.baselines) {
    rows.push_back(cells("", row.origin == Origin::kMean ? "start (x0)" : "uniform merge", row));
  }
  for (const BestRow& row : content.genomes) rows.push_back(cells(row.chosen ? "*" : "", Described(row), row));
  text += Columns(rows, 5);
  text +=
      "\n* a phase's winner. fitness: the score that the search saw. test is sealed: scored once, at the end, for "
      "parents, baselines and each phase's winner.\n";
  return text;
}

}  // namespace

absl::StatusOr<std::string> Best(const BestOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(options.database));
  Content content;
  ASSIGN_OR_RETURN(content.experiment, reader->Experiment());
  ASSIGN_OR_RETURN(content.parents, reader->Parents());
  ASSIGN_OR_RETURN(content.baselines, reader->Baselines());
  ASSIGN_OR_RETURN(content.genomes, reader->Best(options.top));
  switch (options.format) {
    case Format::kJson:
      return BestJson(content);
    case Format::kCsv:
      return BestCsv(content);
    default:
      return BestTable(content);
  }
}

}  // namespace heterosis
