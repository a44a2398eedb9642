// SPDX-License-Identifier: Apache-2.0
// Rows of SELECTs as structs, for the store and for its readers: each query text stands beside the function that reads
// its columns.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/store/records.h"
#include "coordinator/store/sqlite.h"

namespace heterosis {

// Follow with a WHERE clause. Columns: those of GenomeFromRow. Needs AddIntactViews (checksum.h), as all below do.
inline constexpr char kSelectGenomes[] =
    "SELECT genome, phase, generation, candidate, origin, label, genes, recipe, recipe_digest, fitness, chosen "
    "FROM intact_genomes ";
absl::StatusOr<GenomeRecord> GenomeFromRow(const Statement& row);

inline constexpr char kSelectTrials[] =
    "SELECT t.trial, t.genome, t.purpose, t.split, t.sample_set, s.samples, t.shards, t.same_as, t.state, t.correct, "
    "t.score, t.failure FROM intact_trials t JOIN intact_sample_sets s ON s.sample_set = t.sample_set ";
absl::StatusOr<TrialRecord> TrialFromRow(const Statement& row);

// Of `results` as r; columns: the first ones of ResultFromRow's row.
inline constexpr char kResultColumns[] =
    "r.sample, r.correct, r.number_ok, r.language_ok, r.answer, r.text, r.prompt_tokens, r.new_tokens, r.finish";
absl::StatusOr<SampleResult> ResultFromRow(const Statement& row);

absl::StatusOr<std::vector<ModelRecord>> ReadModels(Database& database);
absl::StatusOr<std::vector<PhaseRecord>> ReadPhases(Database& database);

std::string NumbersToText(const std::vector<double>& numbers);
std::string NumbersToText(const std::vector<int>& numbers);
absl::StatusOr<std::vector<double>> DoublesFromText(const std::string& text);
absl::StatusOr<Recipe> RecipeFromText(const std::string& text);

}  // namespace heterosis
