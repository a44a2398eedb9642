// SPDX-License-Identifier: Apache-2.0
// Implements generation.h.
#include "coordinator/optimizer/generation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

// Box and Muller's transform, whose pairs are used whole: half the work of RandomStream::NextNormal.
void FillNormals(RandomStream& stream, std::span<double> z) {
  for (size_t i = 0; i < z.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log(1 - stream.NextUniform()));
    const double angle = 2 * std::numbers::pi * stream.NextUniform();
    z[i] = radius * std::cos(angle);
    if (i + 1 < z.size()) z[i + 1] = radius * std::sin(angle);
  }
}

}  // namespace

NormalSource KeyedNormals(const OptimizerOptions& options, int64_t generation) {
  return [&options, generation](size_t candidate, int attempt, std::span<double> z) {
    RandomStream stream(RandomKey(
        {options.seed, options.phase, static_cast<uint64_t>(generation), candidate, static_cast<uint64_t>(attempt)}));
    FillNormals(stream, z);
  };
}

size_t InjectedCount(const OptimizerOptions& options, int64_t generation) {
  return generation == 0 ? options.injected.size() : 0;
}

void PlaceInjected(const OptimizerOptions& options, int64_t generation, Matrix& candidates) {
  for (size_t i = 0; i < InjectedCount(options, generation); ++i) {
    std::copy(options.injected[i].begin(), options.injected[i].end(), candidates.row(i).begin());
  }
}

std::vector<std::vector<double>> RowsOf(const Matrix& candidates) {
  std::vector<std::vector<double>> rows;
  for (size_t i = 0; i < candidates.rows; ++i) {
    const std::span<const double> row = candidates.row(i);
    rows.emplace_back(row.begin(), row.end());
  }
  return rows;
}

absl::Status CheckCount(std::span<const Evaluation> evaluations, int population) {
  if (evaluations.size() == static_cast<size_t>(population)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("Tell needs the evaluations of all ", population, " candidates, it was given ", evaluations.size()));
}

bool AnyValid(std::span<const Evaluation> evaluations) {
  return std::any_of(evaluations.begin(), evaluations.end(), IsValid);
}

absl::StatusOr<Matrix> ReadMatrix(size_t rows, size_t columns, SnapshotReader& reader) {
  Matrix matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  matrix.values = reader.Doubles();
  RETURN_IF_ERROR(reader.status());
  if (matrix.values.size() == rows * columns) return matrix;
  return absl::DataLossError("optimizer snapshot is damaged: a matrix has the wrong size");
}

}  // namespace heterosis
