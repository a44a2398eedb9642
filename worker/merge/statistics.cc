// SPDX-License-Identifier: Apache-2.0
// Implements statistics.h.
#include "worker/merge/statistics.h"

#include <algorithm>
#include <cmath>

#include "worker/merge/numeric.h"

namespace heterosis {

Statistics::Statistics(const Inputs& inputs, const Kernels& kernels, int threads)
    : inputs_(inputs), kernels_(kernels), counts_(static_cast<size_t>(threads)) {}

void Statistics::Begin(const MergePlan& plan) {
  const size_t tensors = inputs_.output().size();
  if (plan.participants == participants_ && plan.work == work_ && cosines_.size() == tensors) return;
  participants_ = plan.participants;
  work_ = plan.work;
  sources_.assign(tensors * plan.source_count(), SourceStatistics());
  cosines_.assign(tensors, std::nullopt);
}

void Statistics::Resolve(size_t tensor, int thread, TileWorker& worker, MergePlan* plan) {
  if (plan->method == MergeMethod::kSlerp) ResolveAngle(tensor, worker, plan);
  if (plan->by_magnitude) ResolveThresholds(tensor, counts_[static_cast<size_t>(thread)], worker, plan);
  if (plan->keeps_l1) ResolveScales(tensor, worker, plan);
}

void Statistics::CountBins(size_t tensor, size_t source, ThreadCounts& counts, TileWorker& worker,
                           const MergePlan& plan) {
  counts.upper.assign(2 * kUpperBins, 0);
  worker.ForEachTile(tensor, 0, Elements(tensor), [&](const Tile& tile) {
    const float* delta = worker.LoadDelta(plan, tile, source, worker.LoadBase(plan, tile));
    kernels_.count_upper(delta, tile.n, counts.upper.data());
  });
  std::vector<Bin>& bins = Of(tensor, source).bins;
  for (size_t i = kUpperBins; i-- > 0;) {
    const uint32_t count = counts.upper[i] + counts.upper[kUpperBins + i];
    if (count > 0) bins.push_back({static_cast<int32_t>(i), count});
  }
  bins.shrink_to_fit();
}

void Statistics::ResolveThresholds(size_t tensor, ThreadCounts& counts, TileWorker& worker, MergePlan* plan) {
  SourcePlan* sources = plan->SourcesOf(tensor);
  counts.refinements.clear();
  for (size_t m = 0; m < plan->source_count(); ++m) {
    const double density = sources[m].density;
    if (density <= 0 || density >= 1) continue;
    if (Of(tensor, m).bins.empty()) CountBins(tensor, m, counts, worker, *plan);
    const double wanted = density * static_cast<double>(Elements(tensor));
    uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
    size_t bin = 0;
    const std::vector<Bin>& bins = Of(tensor, m).bins;
    for (; bin + 1 < bins.size() && rank > bins[bin].count; ++bin) rank -= bins[bin].count;
    sources[m].threshold = bins[bin].upper << 16;
    if (plan->work != DType::kBFloat16 && bins[bin].upper > 0) {
      counts.refinements.push_back({m, bins[bin].upper, rank});
    }
  }
  if (!counts.refinements.empty()) Refine(tensor, counts, worker, plan);
}

void Statistics::Refine(size_t tensor, ThreadCounts& counts, TileWorker& worker, MergePlan* plan) {
  counts.lower.assign(counts.refinements.size() * kLowerBins, 0);
  worker.ForEachTile(tensor, 0, Elements(tensor), [&](const Tile& tile) {
    const float* base = worker.LoadBase(*plan, tile);
    for (size_t r = 0; r < counts.refinements.size(); ++r) {
      const Refinement& refinement = counts.refinements[r];
      const float* delta = worker.LoadDelta(*plan, tile, refinement.source, base);
      kernels_.count_lower(delta, refinement.upper, tile.n, counts.lower.data() + r * kLowerBins);
    }
  });
  for (size_t r = 0; r < counts.refinements.size(); ++r) {
    const Refinement& refinement = counts.refinements[r];
    const uint32_t* lower = counts.lower.data() + r * kLowerBins;
    uint64_t rank = refinement.rank;
    size_t i = kLowerBins - 1;
    for (; i > 0 && rank > lower[i]; --i) rank -= lower[i];
    plan->SourcesOf(tensor)[refinement.source].threshold |= static_cast<int32_t>(i);
  }
}

// sparsify.py, rescaled_masked_tensor: the ratio of the L1 norms, 1 where either is almost 0. Sums are taken in double
// and rounded once to what torch would hold them in (float16: to float32).
void Statistics::ResolveScales(size_t tensor, TileWorker& worker, MergePlan* plan) {
  SourcePlan* sources = plan->SourcesOf(tensor);
  const auto held = [plan](double value) {
    const float rounded = static_cast<float>(value);
    return plan->work == DType::kBFloat16 ? RoundTo(plan->work, rounded) : rounded;
  };
  for (size_t m = 0; m < plan->source_count(); ++m) {
    if (sources[m].density >= 1) continue;
    std::optional<double>& before = Of(tensor, m).magnitude_sum;
    const bool is_known = before.has_value();
    double all = 0;
    double kept = 0;
    worker.ForEachTile(tensor, 0, Elements(tensor), [&](const Tile& tile) {
      float* delta = worker.LoadDelta(*plan, tile, m, worker.LoadBase(*plan, tile));
      if (!is_known) all += kernels_.sum_magnitudes(delta, tile.n);
      worker.Sparsify(*plan, tile, m, delta);
      kept += kernels_.sum_magnitudes(delta, tile.n);
    });
    if (!is_known) before = all;
    const float a = held(*before);
    const float b = held(kept);
    sources[m].scale = a < 1e-7f || b < 1e-7f ? 1.0f : held(a / b);
  }
}

float Statistics::Cosine(size_t tensor, TileWorker& worker, const MergePlan& plan) {
  double x_squares = 0;
  double y_squares = 0;
  worker.ForEachTile(tensor, 0, Elements(tensor), [&](const Tile& tile) {
    x_squares += kernels_.sum_squares(worker.LoadBase(plan, tile), tile.n);
    y_squares += kernels_.sum_squares(worker.LoadSource(plan, tile, 0), tile.n);
  });
  const auto norm = [](double squares) {
    const float value = static_cast<float>(std::sqrt(squares));
    return value > 1e-8f ? value : 1.0f;
  };
  const float x_norm = norm(x_squares);
  const float y_norm = norm(y_squares);
  double cosine = 0;
  worker.ForEachTile(tensor, 0, Elements(tensor), [&](const Tile& tile) {
    const float* x = worker.LoadBase(plan, tile);
    cosine += kernels_.sum_cosine(x, x_norm, worker.LoadSource(plan, tile, 0), y_norm, tile.n);
  });
  return std::clamp(static_cast<float>(cosine), -1.0f, 1.0f);
}

// slerp.py: the angle's functions are taken in double and rounded to float32, so that they do not depend on the C
// library's float versions.
void Statistics::ResolveAngle(size_t tensor, TileWorker& worker, MergePlan* plan) {
  std::optional<float>& cosine = cosines_[tensor];
  if (!cosine) cosine = Cosine(tensor, worker, *plan);
  TensorPlan& out = plan->tensors[tensor];
  const float t = out.t;
  if (std::fabs(*cosine) > 0.9995f) {
    out.base_factor = 1.0f - t;
    out.source_factor = t;
    return;
  }
  const auto sine = [](float angle) { return static_cast<float>(std::sin(static_cast<double>(angle))); };
  const float angle = static_cast<float>(std::acos(static_cast<double>(*cosine)));
  out.base_factor = sine((1.0f - t) * angle) / sine(angle);
  out.source_factor = sine(t * angle) / sine(angle);
}

}  // namespace heterosis
