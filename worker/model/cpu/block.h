// SPDX-License-Identifier: Apache-2.0
// A block of tokens on its way through the decoder, with the buffers for it, and the packed weights that it meets.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "worker/device/host_buffer.h"
#include "worker/model/cpu/cache.h"
#include "worker/model/cpu/kernels.h"
#include "worker/model/cpu/packed_matrix.h"
#include "worker/model/engine.h"

namespace heterosis::cpu {

struct PackedLayer {
  std::vector<float> input_norm, post_norm;
  PackedMatrix qkv, o, gate_up, down;
};

struct PackedDecoder {
  const MutableTensor* embedding = nullptr;
  std::vector<PackedLayer> layers;
  std::vector<PathStep> path;  // through the layers
  std::vector<float> norm;
  PackedMatrix head;
};

// What a thread does of each step: all of it (one lane, no waiting), or a part, in step with the threads of the other
// lanes, all of them in one OpenMP team.
struct Lane {
  int index = 0;
  int count = 1;

  struct Range {
    int64_t begin, end;
  };
  Range Share(int64_t items) const { return {items * index / count, items * (index + 1) / count}; }
  void Sync() const {
    if (count > 1) {
#pragma omp barrier
    }
  }
};

struct Token {
  int32_t id = 0;
  int row = 0;
  int64_t position = 0;
  const float* rope = nullptr;
  NextToken* next = nullptr;  // where the most likely next token goes, or nullptr
  float* logits = nullptr;    // where the logits go, or nullptr
};

// Buffers for up to `capacity` tokens and `lanes` lanes.
class Block {
 public:
  Block(const ModelConfig& config, const PackedDecoder& decoder, const Kernels& kernels, bool bf16)
      : config_(config), decoder_(decoder), kernels_(kernels), bf16_(bf16) {}

  // Bytes of the buffers for one token.
  static int64_t TokenBytes(const ModelConfig& config, bool bf16);
  // `positions`: the longest sequence.
  absl::Status Reserve(int64_t capacity, int64_t positions, int lanes);
  int64_t capacity() const { return capacity_; }

  // Writes the tokens to the cache and gives the results that they ask for. Every lane calls this with the same tokens.
  void Run(std::span<const Token> tokens, const Cache& cache, const Lane& lane);

 private:
  void Embed(std::span<const Token> tokens, Lane::Range rows);
  void Attend(std::span<const Token> tokens, const Cache& cache, int64_t hop, const Lane& lane);
  void RunMlp(const PackedLayer& layer, float scale, int64_t count, const Lane& lane);
  void RunHead(std::span<const Token> tokens, const Lane& lane);
  void Norm(const float* x, const std::vector<float>& weight, Lane::Range rows);
  void Multiply(const std::byte* x, int64_t x_stride, const PackedMatrix& w, float* y, int64_t y_stride, int64_t rows,
                bool accumulate, const Lane& lane);
  int64_t ElementBytes() const { return bf16_ ? 2 : 4; }

  const ModelConfig& config_;
  const PackedDecoder& decoder_;
  const Kernels& kernels_;
  bool bf16_;
  int64_t capacity_ = 0;
  int lanes_ = 0;
  int64_t positions_ = 0;
  int64_t hidden_stride_ = 0, qkv_stride_ = 0, attended_stride_ = 0, gate_up_stride_ = 0, activated_stride_ = 0;
  int64_t scores_stride_ = 0;  // of a lane
  HostBuffer memory_;
  float* hidden_ = nullptr;  // the residual stream, f32 in either type
  std::byte* normed_ = nullptr;
  float* qkv_ = nullptr;
  std::byte* attended_ = nullptr;
  float* gate_up_ = nullptr;
  std::byte* activated_ = nullptr;
  float* spare_ = nullptr;   // like hidden_: an MLP's output that is scaled; the rows that the head is asked for
  float* logits_ = nullptr;  // a few panels of logits a lane
  float* scores_ = nullptr;
  std::vector<Best> best_;  // [lane][token]
  std::vector<const Token*> asked_;
};

}  // namespace heterosis::cpu
