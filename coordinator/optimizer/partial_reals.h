// SPDX-License-Identifier: Apache-2.0
// Separable CMA-ES for genes that have an effect in some candidates only: each gene learns from the candidates in which
// it is active, and rests while it is in none. Where all genes are active it is sep_cma_core.h but for the first
// generations, in which the path's expected length is counted and not taken for settled.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/optimizer/box.h"
#include "coordinator/optimizer/sampling.h"
#include "coordinator/optimizer/sep_cma_core.h"
#include "coordinator/optimizer/snapshot.h"

namespace heterosis {

struct PartialReals : SepCmaState {
  std::vector<double> path_variances;  // of every gene's p_sigma, in standard deviations, if selection were random
};

PartialReals InitialPartialReals(std::vector<double> mean, double sigma);

// Draws the genes that `wanted` names (1) into `values`, which is left as it is elsewhere: at most `resampling_max`
// draws outside the box are discarded, then one is clipped.
void DrawReals(const PartialReals& state, const Box& box, int resampling_max, size_t candidate,
               std::span<const char> wanted, const NormalSource& normals, std::span<double> values);

struct RealParent {
  std::span<const double> values;
  std::span<const char> active;
  double weight = 0;
  bool foreign = false;  // it did not come from the distribution: the length of its step is limited
};

// Learns from the parents of a generation of `population` candidates.
void UpdateReals(int population, std::span<const RealParent> parents, const Box& box, PartialReals& state);

void WriteReals(const PartialReals& state, SnapshotWriter& writer);
absl::StatusOr<PartialReals> ReadReals(size_t count, SnapshotReader& reader);

}  // namespace heterosis
