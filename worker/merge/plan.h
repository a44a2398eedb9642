// SPDX-License-Identifier: Apache-2.0
// A recipe resolved against the models and tensors at hand: every number that the loops of a merge need.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "common/genome/recipe.h"
#include "worker/merge/inputs.h"

namespace heterosis {

// One source's share in one tensor.
struct SourcePlan {
  float weight = 0;       // rounded to the work dtype, as mergekit's weights are (linear: float32)
  double density = 1;     // of the recipe
  int32_t threshold = 0;  // TIES: the smallest magnitude kept, as bits of a float; set by Statistics
  bool masked = false;    // DARE, density < 1
  uint64_t mask_key = 0;
  uint32_t mask_limit = 0;
  float scale = 1;  // what the kept deltas are multiplied by; L1: set by Statistics
};

// One tensor.
struct TensorPlan {
  float divisor = 1;      // the sum of the weights; 1 where nothing is normalized
  float t = 0;            // slerp
  float base_factor = 1;  // slerp; the two are set by Statistics
  float source_factor = 0;
};

// Reused from merge to merge, so that a merge allocates nothing once it has its size.
struct MergePlan {
  MergeMethod method = MergeMethod::kLinear;
  DType work = DType::kFloat32;
  DType out_dtype = DType::kBFloat16;
  bool normalize = false;
  float lambda = 1;
  bool by_magnitude = false;  // ties
  bool by_mask = false;       // dare_*
  bool elects = false;        // ties, dare_ties
  bool keeps_l1 = false;      // the scales keep the deltas' L1 norms
  bool needs_statistics = false;
  Participants participants;
  std::vector<TensorPlan> tensors;
  std::vector<SourcePlan> sources;  // [tensor * source count + source]
  // Masks given as bits, one vector per source, for the tensor in progress; nullptr: the counter-based generator.
  const std::vector<std::vector<uint64_t>>* mask_bits = nullptr;

  size_t source_count() const { return participants.sources.size(); }
  SourcePlan* SourcesOf(size_t tensor) { return sources.data() + tensor * source_count(); }
  const SourcePlan* SourcesOf(size_t tensor) const { return sources.data() + tensor * source_count(); }
};

// Fills `plan` from a recipe. Errors name what the recipe asks for and is not there.
absl::Status FillPlan(const Recipe& recipe, const Inputs& inputs, MergePlan* plan);

}  // namespace heterosis
