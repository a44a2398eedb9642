// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding: the cosines and sines of each position, with the scalings of
// transformers/modeling_rope_utils.py (default, linear, dynamic, yarn, llama3).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/checkpoint/model_config.h"

namespace heterosis {

// Inverse frequencies (head_dim / 2 of them) for a sequence of `length` tokens; only `dynamic` depends on the length.
std::vector<float> RopeFrequencies(const ModelConfig& config, int64_t length);

// What the cosines and sines are multiplied by (yarn; otherwise 1).
float RopeAttentionFactor(const ModelConfig& config);

// Immutable after construction, thread-safe.
class Rope {
 public:
  // Tabulates the positions [0, positions).
  Rope(const ModelConfig& config, int64_t positions);

  // Whether the angles of a position depend on how long its sequence is at the time (`dynamic`, beyond the limit).
  bool IsTabulated(int64_t length) const { return !dynamic_ || length <= config_.max_positions; }
  // head_dim / 2 cosines, then as many sines, of a tabulated position.
  const float* Row(int64_t position) const { return table_.data() + position * 2 * half_; }
  // The same, computed into `row` for a sequence of `length` tokens.
  void Compute(int64_t position, int64_t length, std::span<float> row) const;

 private:
  void FillRow(const std::vector<float>& frequencies, int64_t position, float* row) const;

  ModelConfig config_;
  int64_t half_;
  bool dynamic_;
  float factor_;
  std::vector<float> table_;
};

}  // namespace heterosis
