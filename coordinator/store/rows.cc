// SPDX-License-Identifier: Apache-2.0
// Implements rows.h.
#include "coordinator/store/rows.h"

#include "common/base/json.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

std::optional<int> OptionalSmallInt(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return static_cast<int>(row.Int(column));
}

absl::StatusOr<std::vector<int>> IntsFromText(const std::string& text) {
  ASSIGN_OR_RETURN(const std::vector<double> numbers, DoublesFromText(text));
  return std::vector<int>(numbers.begin(), numbers.end());
}

}  // namespace

std::string NumbersToText(const std::vector<double>& numbers) {
  return JsonText(Json(numbers));
}
std::string NumbersToText(const std::vector<int>& numbers) {
  return JsonText(Json(numbers));
}

absl::StatusOr<std::vector<double>> DoublesFromText(const std::string& text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  if (!json.is_array()) return absl::DataLossError("not an array of numbers");
  std::vector<double> numbers;
  numbers.reserve(json.size());
  for (const Json& value : json) {
    if (!value.is_number()) return absl::DataLossError("not an array of numbers");
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

absl::StatusOr<Recipe> RecipeFromText(const std::string& text) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text));
  return RecipeFromJson(json);
}

absl::StatusOr<GenomeRecord> GenomeFromRow(const Statement& row) {
  GenomeRecord genome;
  genome.genome = row.Int(0);
  genome.phase = OptionalSmallInt(row, 1);
  genome.generation = OptionalSmallInt(row, 2);
  genome.candidate = static_cast<int>(row.Int(3));
  ASSIGN_OR_RETURN(genome.origin, OriginFromName(row.Text(4)));
  genome.label = row.Text(5);
  ASSIGN_OR_RETURN(genome.genes, DoublesFromText(row.Text(6)));
  ASSIGN_OR_RETURN(genome.recipe, RecipeFromText(row.Text(7)));
  genome.recipe_digest = row.Text(8);
  genome.fitness = row.OptionalDouble(9);
  genome.chosen = row.Int(10) != 0;
  return genome;
}

absl::StatusOr<TrialRecord> TrialFromRow(const Statement& row) {
  TrialRecord trial;
  trial.trial = row.Int(0);
  trial.genome = row.Int(1);
  ASSIGN_OR_RETURN(trial.purpose, PurposeFromName(row.Text(2)));
  ASSIGN_OR_RETURN(trial.samples.split, SplitFromName(row.Text(3)));
  trial.samples.digest = row.Text(4);
  ASSIGN_OR_RETURN(trial.samples.samples, IntsFromText(row.Text(5)));
  trial.shards = static_cast<int>(row.Int(6));
  trial.same_as = row.OptionalInt(7);
  ASSIGN_OR_RETURN(trial.state, TrialStateFromName(row.Text(8)));
  trial.correct = OptionalSmallInt(row, 9);
  trial.score = row.OptionalDouble(10);
  trial.failure = row.Text(11);
  return trial;
}

absl::StatusOr<SampleResult> ResultFromRow(const Statement& row) {
  SampleResult result;
  result.sample = static_cast<int>(row.Int(0));
  result.correct = row.Int(1) != 0;
  result.number_ok = row.Int(2) != 0;
  result.language_ok = row.Int(3) != 0;
  result.answer = row.Text(4);
  result.text = row.Text(5);
  result.prompt_tokens = static_cast<int>(row.Int(6));
  result.new_tokens = static_cast<int>(row.Int(7));
  ASSIGN_OR_RETURN(result.finish, FinishReasonFromName(row.Text(8)));
  return result;
}

absl::StatusOr<std::vector<ModelRecord>> ReadModels(Database& database) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare("SELECT name, digest, role FROM intact_models ORDER BY model"));
  std::vector<ModelRecord> models;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return models;
    models.push_back({rows.Text(0), rows.Text(1), rows.Text(2)});
  }
}

absl::StatusOr<std::vector<PhaseRecord>> ReadPhases(Database& database) {
  ASSIGN_OR_RETURN(Statement rows, database.Prepare("SELECT phase, name, dimension, population, generations "
                                                    "FROM intact_phases ORDER BY phase"));
  std::vector<PhaseRecord> phases;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, rows.Step());
    if (!more) return phases;
    phases.push_back({static_cast<int>(rows.Int(0)), rows.Text(1), static_cast<int>(rows.Int(2)),
                      static_cast<int>(rows.Int(3)), static_cast<int>(rows.Int(4))});
  }
}

}  // namespace heterosis
