// SPDX-License-Identifier: Apache-2.0
// One thread's hands: reads tiles of the sources, makes task vectors of them, and writes merged tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "worker/checkpoint/tensor.h"
#include "worker/merge/inputs.h"
#include "worker/merge/kernels.h"
#include "worker/merge/plan.h"

namespace heterosis {

// Elements [begin, begin + n) of one output tensor, n <= Inputs::TileLength.
struct Tile {
  size_t tensor = 0;
  int64_t begin = 0;
  size_t n = 0;
};

// Owns its scratch memory, for up to `sources_max` sources; used by one thread at a time. References must outlive it.
class TileWorker {
 public:
  TileWorker(const Inputs& inputs, const Kernels& kernels, size_t sources_max);

  // Calls body(tile) for the tiles of [begin, end) of a tensor, in order.
  template <typename Body>
  void ForEachTile(size_t tensor, int64_t begin, int64_t end, const Body& body) const {
    while (begin < end) {
      const size_t n = inputs_.TileLength(tensor, begin, end);
      body(Tile{tensor, begin, n});
      begin += static_cast<int64_t>(n);
    }
  }

  // The base's elements in the work dtype; valid until the next call.
  const float* LoadBase(const MergePlan& plan, const Tile& tile);
  // Source m's elements in the work dtype, or minus those of `base`; valid until the next call for the same m.
  float* LoadSource(const MergePlan& plan, const Tile& tile, size_t m);
  float* LoadDelta(const MergePlan& plan, const Tile& tile, size_t m, const float* base);
  // Zeroes what TIES trims or DARE drops.
  void Sparsify(const MergePlan& plan, const Tile& tile, size_t m, float* delta);

  // Writes a tile of the result to `out`, the whole tensor.
  void Merge(const MergePlan& plan, const Tile& tile, const MutableTensor& out);

 private:
  struct Scratch {
    explicit Scratch(size_t tiles) : floats(tiles * kTileElements) {}
    float* data() { return floats.data(); }
    std::vector<float> floats;
  };

  TileInput Read(const MergePlan& plan, const Tile& tile, int model);
  void MergeLinear(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out);
  void MergeSlerp(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out);
  void MergeTaskVectors(const MergePlan& plan, const Tile& tile, DType dtype, std::byte* out);
  // mix = sum of the weighted deltas; the election's divisors go to divisors_.
  void MixSparse(const MergePlan& plan, const Tile& tile, const float* base);

  const Inputs& inputs_;
  const Kernels& kernels_;
  Scratch base_;
  Scratch sources_;  // one tile per source
  Scratch mix_;
  Scratch divisors_;
  Scratch read_;
  Scratch read_buffer_;
  std::vector<uint32_t> mask_;
  std::vector<float> weights_;
};

}  // namespace heterosis
