// SPDX-License-Identifier: Apache-2.0
// What the classes behind the Optimizer interface share about the generation that they hand out: its random numbers,
// its injected points, the check of what is told, and its place in a snapshot.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/optimizer/linear_algebra.h"
#include "coordinator/optimizer/optimizer.h"
#include "coordinator/optimizer/sampling.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

// Normal numbers keyed by (seed, phase, generation, candidate, attempt). `options` must outlive the source.
NormalSource KeyedNormals(const OptimizerOptions& options, int64_t generation);

// How many of the first candidates of `generation` are injected points.
size_t InjectedCount(const OptimizerOptions& options, int64_t generation);
// Writes those points over the first candidates.
void PlaceInjected(const OptimizerOptions& options, int64_t generation, Matrix& candidates);

std::vector<std::vector<double>> RowsOf(const Matrix& candidates);

// InvalidArgument unless there is an evaluation for every candidate.
absl::Status CheckCount(std::span<const Evaluation> evaluations, int population);
bool AnyValid(std::span<const Evaluation> evaluations);

// A matrix of the given shape that was written with writer.Doubles(matrix.values); DataLoss for another size.
absl::StatusOr<Matrix> ReadMatrix(size_t rows, size_t columns, SnapshotReader& reader);

}  // namespace heterosis
