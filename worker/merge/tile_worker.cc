// SPDX-License-Identifier: Apache-2.0
// Implements tile_worker.h; formulas as in mergekit 0.1.5 (generalized_task_arithmetic.py, linear.py, slerp.py).
#include "worker/merge/tile_worker.h"

#include <algorithm>

#include "worker/merge/masks.h"

namespace heterosis {

TileWorker::TileWorker(const Inputs& inputs, const Kernels& kernels, size_t sources_max)
    : inputs_(inputs),
      kernels_(kernels),
      base_(1),
      sources_(std::max<size_t>(sources_max, 1)),
      mix_(1),
      divisors_(1),
      read_(1),
      read_buffer_(1),
      mask_(kTileElements),
      weights_(sources_max) {}

TileInput TileWorker::Read(const MergePlan& plan, const Tile& tile, int model) {
  return inputs_.Read(plan.participants, model, tile.tensor, tile.begin, tile.n, plan.work, kernels_, read_.data(),
                      read_buffer_.data());
}

const float* TileWorker::LoadBase(const MergePlan& plan, const Tile& tile) {
  kernels_.load(plan.work, Read(plan, tile, plan.participants.base), tile.n, base_.data());
  return base_.data();
}

float* TileWorker::LoadSource(const MergePlan& plan, const Tile& tile, size_t m) {
  float* out = sources_.data() + m * kTileElements;
  kernels_.load(plan.work, Read(plan, tile, plan.participants.sources[m]), tile.n, out);
  return out;
}

float* TileWorker::LoadDelta(const MergePlan& plan, const Tile& tile, size_t m, const float* base) {
  float* out = sources_.data() + m * kTileElements;
  kernels_.delta(plan.work, Read(plan, tile, plan.participants.sources[m]), base, tile.n, out);
  return out;
}

void TileWorker::Sparsify(const MergePlan& plan, const Tile& tile, size_t m, float* delta) {
  const SourcePlan& source = plan.SourcesOf(tile.tensor)[m];
  if (source.threshold > 0) kernels_.keep_above(source.threshold, tile.n, delta);
  if (!source.masked) return;
  if (plan.mask_bits != nullptr) {
    ExpandMask((*plan.mask_bits)[m], tile.begin, tile.n, mask_.data());
  } else {
    kernels_.counter_mask(source.mask_key, static_cast<uint64_t>(tile.begin), source.mask_limit, tile.n, mask_.data());
  }
  kernels_.keep_masked(mask_.data(), tile.n, delta);
}

void TileWorker::Merge(const MergePlan& plan, const Tile& tile, const MutableTensor& out) {
  std::byte* data = out.data + static_cast<size_t>(tile.begin) * SizeBytes(out.dtype);
  switch (plan.method) {
    case MergeMethod::kLinear:
      return MergeLinear(plan, tile, out.dtype, data);
    case MergeMethod::kSlerp:
      return MergeSlerp(plan, tile, out.dtype, data);
    case MergeMethod::kTaskArithmetic:
    case MergeMethod::kTies:
    case MergeMethod::kDareLinear:
    case MergeMethod::kDareTies:
      return MergeTaskVectors(plan, tile, out.dtype, data);
  }
}

void TileWorker::MergeLinear(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out) {
  const SourcePlan* sources = plan.SourcesOf(tile.tensor);
  float* sum = mix_.data();
  std::fill(sum, sum + kTileElements, 0.0f);
  for (size_t m = 0; m < plan.source_count(); ++m) {
    kernels_.add_scaled(plan.work, Read(plan, tile, plan.participants.sources[m]), sources[m].weight, tile.n, sum);
  }
  const float divisor = plan.tensors[tile.tensor].divisor;
  if (divisor != 1.0f) kernels_.divide(DType::kFloat32, divisor, tile.n, sum);
  kernels_.store(plan.work, sum, tile.n, dtype, out);
}

void TileWorker::MergeSlerp(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out) {
  const TensorPlan& tensor = plan.tensors[tile.tensor];
  kernels_.load(plan.work, Read(plan, tile, plan.participants.base), tile.n, base_.data());
  const float* source = LoadSource(plan, tile, 0);
  kernels_.blend(tensor.base_factor, tensor.source_factor, source, tile.n, base_.data());
  kernels_.store(plan.work, base_.data(), tile.n, dtype, out);
}

void TileWorker::MixSparse(const MergePlan& plan, const Tile& tile, const float* base) {
  const SourcePlan* sources = plan.SourcesOf(tile.tensor);
  for (size_t m = 0; m < plan.source_count(); ++m) {
    float* delta = LoadDelta(plan, tile, m, base);
    Sparsify(plan, tile, m, delta);
    if (sources[m].scale != 1.0f) kernels_.scale(plan.work, sources[m].scale, tile.n, delta);
    kernels_.scale(plan.work, sources[m].weight, tile.n, delta);
    weights_[m] = sources[m].weight;
  }
  if (plan.elects) {
    kernels_.elect(plan.work, sources_.data(), weights_.data(), plan.source_count(), tile.n, mix_.data(),
                   divisors_.data());
  } else {
    kernels_.sum(sources_.data(), plan.source_count(), tile.n, mix_.data());
  }
}

void TileWorker::MergeTaskVectors(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out) {
  const float* base = LoadBase(plan, tile);
  float* mix = mix_.data();
  if (plan.by_magnitude || plan.by_mask) {
    MixSparse(plan, tile, base);
  } else {
    const SourcePlan* sources = plan.SourcesOf(tile.tensor);
    std::fill(mix, mix + kTileElements, 0.0f);
    for (size_t m = 0; m < plan.source_count(); ++m) {
      kernels_.add_delta(plan.work, Read(plan, tile, plan.participants.sources[m]), base, sources[m].weight, tile.n,
                         mix);
    }
  }
  if (plan.work != DType::kFloat32) kernels_.round(plan.work, tile.n, mix);
  if (plan.normalize && plan.elects) kernels_.divide_each(plan.work, divisors_.data(), tile.n, mix);
  const float divisor = plan.tensors[tile.tensor].divisor;
  if (!plan.elects && divisor != 1.0f) kernels_.divide(plan.work, divisor, tile.n, mix);
  if (plan.lambda != 1.0f) kernels_.scale(plan.work, plan.lambda, tile.n, mix);
  kernels_.store_sum(plan.work, base, mix, tile.n, dtype, out);
}

}  // namespace heterosis
