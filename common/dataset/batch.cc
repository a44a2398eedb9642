// SPDX-License-Identifier: Apache-2.0
// Implements batch.h.
#include "common/dataset/batch.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/base/random.h"

namespace heterosis {
namespace {

std::vector<int> ShuffledSplit(const BatchOptions& options, int64_t epoch) {
  RandomStream stream(RandomKey(
      {options.seed, HashText("sample batches"), static_cast<uint64_t>(options.phase), static_cast<uint64_t>(epoch)}));
  const std::vector<size_t> order = RandomPermutation(static_cast<size_t>(options.split_size), stream);
  return {order.begin(), order.end()};
}

// Swaps the samples of `held` (at the end of the epoch before) out of the first `head` places of `order`. The places
// behind have room: together with `held` a batch has at most as many samples as the split.
void KeepOutOfHead(const std::vector<int>& held, size_t head, std::vector<int>& order) {
  const auto is_held = [&](int sample) { return std::find(held.begin(), held.end(), sample) != held.end(); };
  size_t spare = head;
  for (size_t i = 0; i < head; ++i) {
    if (!is_held(order[i])) continue;
    while (is_held(order[spare])) ++spare;
    std::swap(order[i], order[spare++]);
  }
}

}  // namespace

std::vector<int> BatchFor(const BatchOptions& options) {
  const int64_t split_size = options.split_size;
  std::vector<int> batch;
  if (options.per_generation <= 0 || options.per_generation >= split_size) {
    batch.resize(static_cast<size_t>(split_size));
    std::iota(batch.begin(), batch.end(), 0);
    return batch;
  }
  const int64_t begin = int64_t{options.generation} * options.per_generation;
  const int64_t end = begin + options.per_generation;
  // Orders depend on each other where a batch spans two of them, so they are made from the first one on.
  std::vector<int> held;  // of a batch that began in the order before
  for (int64_t epoch = 0; epoch * split_size < end; ++epoch) {
    std::vector<int> order = ShuffledSplit(options, epoch);
    if (!held.empty()) KeepOutOfHead(held, static_cast<size_t>(options.per_generation) - held.size(), order);
    const int64_t base = epoch * split_size;
    const auto at = [&](int64_t sample) { return order.begin() + std::clamp<int64_t>(sample - base, 0, split_size); };
    batch.insert(batch.end(), at(begin), at(end));
    const int64_t held_count = (base + split_size) % options.per_generation;
    held.assign(order.end() - held_count, order.end());
  }
  std::sort(batch.begin(), batch.end());
  return batch;
}

}  // namespace heterosis
