// SPDX-License-Identifier: Apache-2.0
// The snapshot form of a CmaState (cma_core.h).
#include <algorithm>
#include <vector>

#include "common/base/status.h"
#include "coordinator/optimizer/cma_core.h"

namespace heterosis {
namespace {

// The upper triangle row by row: half of what a full matrix takes.
std::vector<double> PackUpper(const Matrix& c) {
  std::vector<double> packed;
  packed.reserve(c.rows * (c.rows + 1) / 2);
  for (size_t i = 0; i < c.rows; ++i) {
    const std::span<const double> upper = c.row(i).subspan(i);
    packed.insert(packed.end(), upper.begin(), upper.end());
  }
  return packed;
}

// `packed` must hold n (n + 1) / 2 values.
Matrix UnpackUpper(std::span<const double> packed, size_t n) {
  Matrix c(n, n);
  for (size_t i = 0; i < n; ++i) {
    std::copy_n(packed.begin(), n - i, c.row(i).begin() + static_cast<std::ptrdiff_t>(i));
    packed = packed.subspan(n - i);
  }
  return c;
}

}  // namespace

void WriteCmaState(const CmaState& state, SnapshotWriter& writer) {
  WriteEvolution(state, writer);
  writer.Doubles(PackUpper(state.c));
  writer.Doubles(state.eigen.vectors.values);
  writer.Doubles(state.eigen.scales);
  writer.Uint64(static_cast<uint64_t>(state.eigen_generation));
}

absl::StatusOr<CmaState> ReadCmaState(size_t n, SnapshotReader& reader) {
  CmaState state;
  RETURN_IF_ERROR(ReadEvolution(n, reader, state));
  const std::vector<double> upper = reader.Doubles();
  state.eigen.vectors.values = reader.Doubles();
  if (!state.eigen.vectors.values.empty()) state.eigen.vectors.rows = state.eigen.vectors.columns = n;
  state.eigen.scales = reader.Doubles();
  state.eigen_generation = static_cast<int64_t>(reader.Uint64());
  RETURN_IF_ERROR(reader.status());
  const size_t vectors_size = state.eigen.vectors.values.size();
  if (upper.size() != n * (n + 1) / 2 || state.eigen.scales.size() != n ||
      (vectors_size != 0 && vectors_size != n * n)) {
    return absl::DataLossError("optimizer snapshot is damaged: a field has the wrong size");
  }
  state.c = UnpackUpper(upper, n);
  return state;
}

}  // namespace heterosis
