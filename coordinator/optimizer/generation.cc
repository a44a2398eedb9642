// SPDX-License-Identifier: Apache-2.0
// Implements generation.h.
#include "coordinator/optimizer/generation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/optimizer/ranking.h"

namespace heterosis {
namespace {

// 53 bits, as RandomStream::NextUniform makes them.
double Uniform(uint64_t high, uint64_t low) {
  return static_cast<double>((high << 21) ^ (low >> 11)) * 0x1.0p-53;
}

// sin x and cos x by their Taylor series, for |x| <= pi / 4 within a unit in the last place. Plain arithmetic, which
// compilers work on several numbers at once with and which rounds alike everywhere, unlike a libm's.
inline double SinSeries(double x) {
  const double square = x * x;
  double sum = 0;
  for (int k = 17; k > 1; k -= 2) sum = (1 - sum) * (square * (1.0 / (k * (k - 1))));
  return x * (1 - sum);
}
inline double CosSeries(double x) {
  const double square = x * x;
  double sum = 0;
  for (int k = 18; k > 0; k -= 2) sum = (1 - sum) * (square * (1.0 / (k * (k - 1))));
  return 1 - sum;
}

constexpr size_t kStage = 64;
using Stage = std::array<double, kStage>;

// The first `count` of turns, in [0, 1), become the cosines of those shares of a full turn, and `sines` their sines.
void CosAndSin(size_t count, Stage& turns, Stage& sines) {
  for (size_t i = 0; i < count; ++i) {
    const double quarters = 4 * turns[i];
    const int quadrant = static_cast<int>(quarters + 0.5);  // 0 to 4
    const double x = (quarters - quadrant) * (std::numbers::pi / 2);
    const double sine = SinSeries(x);
    const double cosine = CosSeries(x);
    const bool odd = (quadrant & 1) != 0;
    const double along = odd ? sine : cosine;
    const double across = odd ? cosine : sine;
    turns[i] = ((quadrant + 1) & 2) != 0 ? -along : along;
    sines[i] = (quadrant & 2) != 0 ? -across : across;
  }
}

// Box and Muller's transform, whose pairs are used whole: half the work of RandomStream::NextNormal. Pair i is made of
// block i of the key's stream; in stages, because that is most of what separable CMA-ES costs and the processor then
// works on several pairs at once.
void FillNormals(uint64_t key, std::span<double> z) {
  Stage radius;
  Stage cosine;
  Stage sine;
  for (size_t first = 0; first < z.size(); first += 2 * kStage) {
    const size_t pairs = std::min(kStage, (z.size() - first + 1) / 2);
    for (size_t i = 0; i < pairs; ++i) {
      const uint64_t block = first / 2 + i;
      const std::array<uint32_t, 4> words =
          Philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0},
                 {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
      radius[i] = 1 - Uniform(words[0], words[1]);
      cosine[i] = Uniform(words[2], words[3]);
    }
    for (size_t i = 0; i < pairs; ++i) radius[i] = std::log(radius[i]);
    for (size_t i = 0; i < pairs; ++i) radius[i] = std::sqrt(-2 * radius[i]);
    CosAndSin(pairs, cosine, sine);
    for (size_t i = 0; i < pairs; ++i) {
      z[first + 2 * i] = radius[i] * cosine[i];
      if (first + 2 * i + 1 < z.size()) z[first + 2 * i + 1] = radius[i] * sine[i];
    }
  }
}

}  // namespace

NormalSource KeyedNormals(const OptimizerOptions& options, int64_t generation) {
  return [&options, generation](size_t candidate, int attempt, std::span<double> z) {
    FillNormals(RandomKey({options.seed, options.phase, static_cast<uint64_t>(generation), candidate,
                           static_cast<uint64_t>(attempt)}),
                z);
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
