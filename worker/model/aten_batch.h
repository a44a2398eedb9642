// SPDX-License-Identifier: Apache-2.0
// The index tensors of one forward pass of aten_engine.cc: which token goes where in the cache, and the segments padded
// into rectangles for attention. The same for every layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/checkpoint/model_config.h"
#include "worker/model/engine.h"
#include "worker/model/rope.h"

namespace heterosis {

// Segments whose attention is computed together, padded to the same number of queries and of keys.
struct AttentionGroup {
  int64_t segments = 0;
  int64_t queries = 0;  // of a segment, with padding
  int64_t keys = 0;
  at::Tensor rows;    // [segments] of the cache
  at::Tensor padded;  // [segments * queries]: the token of each query; padding repeats a token
  at::Tensor kept;    // which of those are no padding ...
  at::Tensor tokens;  // ... and the tokens that they are
  at::Tensor mask;    // [segments, 1, queries, keys]: true = attend
};

struct AtenBatch {
  at::Tensor ids;     // [tokens]
  at::Tensor slots;   // [tokens]: row * positions + position
  at::Tensor cosine;  // [tokens, 1, head_dim], in the compute type
  at::Tensor sine;
  at::Tensor last;  // the last token of each segment
  std::vector<AttentionGroup> groups;
};

// `positions`: of a row of the cache.
AtenBatch MakeAtenBatch(const ModelConfig& config, const Rope& rope, std::span<const Segment> segments,
                        int64_t positions, const at::TensorOptions& options);

}  // namespace heterosis
