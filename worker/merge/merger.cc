// SPDX-License-Identifier: Apache-2.0
// Implements merger.h: checks, splits the work, and keeps what is reused.
#include "worker/merge/merger.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/status.h"
#include "worker/merge/masks.h"
#include "worker/merge/plan.h"
#include "worker/merge/statistics.h"
#include "worker/merge/thread_pool.h"
#include "worker/merge/tile_worker.h"

namespace heterosis {
namespace {

constexpr int64_t kBlockElements = int64_t{1} << 17;  // of one task

struct Block {
  size_t tensor = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

std::vector<Block> SplitIntoBlocks(const std::vector<TensorSpec>& output) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < output.size(); ++i) {
    const int64_t n = ElementCount(output[i].shape);
    for (int64_t begin = 0; begin < n; begin += kBlockElements) {
      blocks.push_back({i, begin, std::min(n, begin + kBlockElements)});
    }
  }
  return blocks;
}

std::vector<size_t> OrderOf(const std::vector<TensorSpec>& output,
                            bool (*before)(const TensorSpec&, const TensorSpec&)) {
  std::vector<size_t> order(output.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return before(output[a], output[b]); });
  return order;
}

}  // namespace

struct Merger::State {
  State(Inputs lined_up, const Kernels& variant, int threads)
      : inputs(std::move(lined_up)), pool(threads), statistics(inputs, variant, threads) {
    blocks = SplitIntoBlocks(inputs.output());
    by_size = OrderOf(inputs.output(),
                      [](const auto& a, const auto& b) { return ElementCount(a.shape) > ElementCount(b.shape); });
    by_name = OrderOf(inputs.output(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (int i = 0; i < threads; ++i) workers.emplace_back(inputs, variant, inputs.model_count());
  }

  absl::Status CheckOutput(const Recipe& recipe, std::span<const MutableTensor> out) const;
  void MergeBlock(const Block& block, int thread, std::span<const MutableTensor> out);
  void MergeAll(std::span<const MutableTensor> out);
  void MergeInMergekitsOrder(uint64_t seed, std::span<const MutableTensor> out);

  Inputs inputs;
  ThreadPool pool;
  std::vector<Block> blocks;
  std::vector<size_t> by_size;
  std::vector<size_t> by_name;
  std::vector<TileWorker> workers;  // one per thread
  Statistics statistics;
  MergePlan plan;
  std::vector<std::vector<uint64_t>> mask_bits;  // one per source, of one tensor; mergekit's masks only
};

absl::Status Merger::State::CheckOutput(const Recipe& recipe, std::span<const MutableTensor> out) const {
  const std::vector<TensorSpec>& specs = inputs.output();
  if (out.size() != specs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the output has ", out.size(), " tensors, not ", specs.size()));
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i].name != specs[i].name || out[i].shape != specs[i].shape || out[i].dtype != recipe.out_dtype) {
      return absl::InvalidArgumentError(absl::StrCat("output tensor ", i, " (", out[i].name,
                                                     ") does not have the name, shape or dtype asked for (",
                                                     specs[i].name, ", ", std::string(Name(recipe.out_dtype)), ")"));
    }
  }
  return absl::OkStatus();
}

void Merger::State::MergeBlock(const Block& block, int thread, std::span<const MutableTensor> out) {
  TileWorker& worker = workers[static_cast<size_t>(thread)];
  worker.ForEachTile(block.tensor, block.begin, block.end,
                     [&](const Tile& tile) { worker.Merge(plan, tile, out[block.tensor]); });
}

void Merger::State::MergeAll(std::span<const MutableTensor> out) {
  if (plan.needs_statistics) {
    pool.Run(by_size.size(), [this](size_t task, int thread) {
      statistics.Resolve(by_size[task], thread, workers[static_cast<size_t>(thread)], &plan);
    });
  }
  pool.Run(blocks.size(), [&](size_t task, int thread) { MergeBlock(blocks[task], thread, out); });
}

// mergekit's masks are one sequential stream over the whole model.
void Merger::State::MergeInMergekitsOrder(uint64_t seed, std::span<const MutableTensor> out) {
  MergekitMaskStream stream(seed);
  mask_bits.resize(plan.source_count());
  plan.mask_bits = &mask_bits;
  for (const size_t tensor : by_name) {
    const int64_t elements = ElementCount(inputs.output()[tensor].shape);
    const SourcePlan* sources = plan.SourcesOf(tensor);
    for (size_t m = 0; m < plan.source_count(); ++m) {
      if (sources[m].masked) stream.Draw(sources[m].density, plan.work, elements, &mask_bits[m]);
    }
    if (plan.needs_statistics) statistics.Resolve(tensor, 0, workers.front(), &plan);
    const auto [first, last] = std::equal_range(blocks.begin(), blocks.end(), Block{tensor, 0, 0},
                                                [](const Block& a, const Block& b) { return a.tensor < b.tensor; });
    pool.Run(static_cast<size_t>(last - first), [&, begin = first](size_t task, int thread) {
      MergeBlock(begin[static_cast<ptrdiff_t>(task)], thread, out);
    });
  }
  plan.mask_bits = nullptr;
}

absl::StatusOr<std::unique_ptr<Merger>> Merger::Create(MergerOptions options) {
  if (options.threads < 1) return absl::InvalidArgumentError("a merger needs at least one thread");
  for (const TensorSpec& spec : options.output) {
    if (ElementCount(spec.shape) > int64_t{UINT32_MAX}) {
      return absl::UnimplementedError(absl::StrCat(spec.name, ": tensors of 2^32 elements and more are not supported"));
    }
  }
  ASSIGN_OR_RETURN(Inputs inputs, Inputs::Create(std::move(options.output), std::move(options.output_vocabulary),
                                                 std::move(options.models)));
  const Kernels& kernels = options.kernels != nullptr ? *options.kernels : BestKernels();
  return std::unique_ptr<Merger>(new Merger(std::make_unique<State>(std::move(inputs), kernels, options.threads)));
}

Merger::Merger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Merger::~Merger() = default;

const std::vector<TensorSpec>& Merger::output() const {
  return state_->inputs.output();
}

absl::Status Merger::Merge(const Recipe& recipe, std::span<const MutableTensor> out) {
  RETURN_IF_ERROR(FillPlan(recipe, state_->inputs, &state_->plan));
  RETURN_IF_ERROR(state_->CheckOutput(recipe, out));
  state_->statistics.Begin(state_->plan);
  if (state_->plan.by_mask && recipe.mask == MaskSource::kMergekit) {
    state_->MergeInMergekitsOrder(recipe.mask_seed, out);
  } else {
    state_->MergeAll(out);
  }
  return absl::OkStatus();
}

}  // namespace heterosis
