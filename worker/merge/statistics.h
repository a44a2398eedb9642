// SPDX-License-Identifier: Apache-2.0
// What a merge must know of whole tensors before it can merge an element: TIES' thresholds, the scales that keep L1
// norms, and the angle between two tensors for SLERP. What depends on the models alone is kept from merge to merge.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/merge/inputs.h"
#include "worker/merge/kernels.h"
#include "worker/merge/plan.h"
#include "worker/merge/tile_worker.h"

namespace heterosis {

// TIES keeps the elements of a task vector whose magnitude is at least that of the k-th largest, k = max(1,
// int(density * n)): exactly k of them, and all that tie with the k-th. (mergekit keeps exactly k, of the ties those
// that its unstable sort puts first.) Keeping all ties depends on no order, and so is the same for any split of the
// work.
//
// The magnitudes' exponents and first 7 mantissa bits are counted once per source and tensor; a merge then counts only
// within the one bin where the threshold lies, and not at all where the work dtype is bfloat16. Magnitudes below 2^-133
// count as equal.
class Statistics {
 public:
  Statistics(const Inputs& inputs, const Kernels& kernels, int threads);

  // Begins a merge: forgets what was kept if the models or the work dtype are others than last time.
  void Begin(const MergePlan& plan);

  // Sets one tensor's thresholds, scales and factors in `plan`, as its method asks. Different tensors may be resolved
  // at once by different threads, each with a number and a worker of its own.
  void Resolve(size_t tensor, int thread, TileWorker& worker, MergePlan* plan);

 private:
  // How many magnitudes of one task vector lie in each bin of their upper 16 bits; empty bins are left out.
  struct Bin {
    int32_t upper = 0;
    uint32_t count = 0;
  };
  struct SourceStatistics {
    std::vector<Bin> bins;  // from the largest magnitudes down; empty: not counted yet
    std::optional<double> magnitude_sum;
  };
  // A threshold known up to its bin: it is the rank-th largest magnitude within.
  struct Refinement {
    size_t source = 0;
    int32_t upper = 0;
    uint64_t rank = 0;
  };
  struct ThreadCounts {
    std::vector<uint32_t> upper;
    std::vector<uint32_t> lower;  // kLowerBins per source
    std::vector<Refinement> refinements;
  };

  int64_t Elements(size_t tensor) const { return ElementCount(inputs_.output()[tensor].shape); }
  SourceStatistics& Of(size_t tensor, size_t source) {
    return sources_[tensor * participants_.sources.size() + source];
  }
  void ResolveThresholds(size_t tensor, ThreadCounts& counts, TileWorker& worker, MergePlan* plan);
  void CountBins(size_t tensor, size_t source, ThreadCounts& counts, TileWorker& worker, const MergePlan& plan);
  void Refine(size_t tensor, ThreadCounts& counts, TileWorker& worker, MergePlan* plan);
  void ResolveScales(size_t tensor, TileWorker& worker, MergePlan* plan);
  void ResolveAngle(size_t tensor, TileWorker& worker, MergePlan* plan);
  float Cosine(size_t tensor, TileWorker& worker, const MergePlan& plan);

  const Inputs& inputs_;
  const Kernels& kernels_;
  Participants participants_;
  DType work_ = DType::kFloat32;
  std::vector<SourceStatistics> sources_;
  std::vector<std::optional<float>> cosines_;
  std::vector<ThreadCounts> counts_;  // one per thread
};

}  // namespace heterosis
