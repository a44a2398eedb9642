// SPDX-License-Identifier: Apache-2.0
// What computes a decoder on one kind of device: cpu/cpu_engine.h with kernels of our own, aten_engine.h through ATen.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "worker/model/path.h"

namespace heterosis {

// Consecutive tokens of one sequence, to be put at `position` and after it in a row of the KV cache, which holds all
// earlier ones already.
struct Segment {
  int row = 0;
  int64_t position = 0;
  std::span<const int32_t> tokens;
};

// The most likely token after a segment; of equally likely ones the first.
struct NextToken {
  int32_t token = 0;
  float logit = 0;
  bool finite = true;  // false: there was a NaN or Inf among the logits, the rest is meaningless
};

// Thread-compatible. No method allocates once the largest batch has been seen.
class Engine {
 public:
  virtual ~Engine() = default;

  // Takes over the weights anew from the tensors that the engine was made with.
  virtual absl::Status WeightsChanged() = 0;
  // The layers that Forward takes, in their order; at first each once. Every step has keys and values of its own, so
  // what the cache held is lost: ReserveCache comes next.
  virtual void SetPath(std::span<const PathStep> steps) = 0;
  virtual size_t CacheBytesPerRow(int64_t positions) const = 0;
  // Makes room for `rows` sequences of up to `positions` tokens; what the cache held is lost.
  virtual absl::Status ReserveCache(int rows, int64_t positions) = 0;
  // What it holds now.
  virtual size_t CacheBytes() const = 0;
  // Runs the segments, each of another row, and gives one NextToken for each. `logits`, unless nullptr, gets those of
  // every token: [tokens of all segments][vocab_size]. Segments are checked by Model.
  virtual absl::Status Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) = 0;
};

}  // namespace heterosis
