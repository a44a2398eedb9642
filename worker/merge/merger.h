// SPDX-License-Identifier: Apache-2.0
// Merges models by a recipe: linear, slerp, task_arithmetic, ties, dare_linear and dare_ties as mergekit 0.1.5 defines
// them (mergekit/merge_methods, mergekit/sparsify.py), from resident parents into the caller's buffers.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "worker/checkpoint/tensor.h"
#include "worker/merge/inputs.h"
#include "worker/merge/kernels.h"

namespace heterosis {

struct MergerOptions {
  std::vector<TensorSpec> output;              // ExpectedTensors of the merged model's configuration (OutputConfig)
  std::vector<std::string> output_vocabulary;  // of the tokenizer's model; empty: rows are matched by place
  std::vector<MergeModel> models;              // all that recipes may name
  int threads = 1;
  const Kernels* kernels = nullptr;  // nullptr: the best for this CPU
};

// The result's bytes depend on the recipe and the models only: not on threads, vector width or CPU. In detail:
// - Statistics (TIES' thresholds, L1 norms, angles) are per tensor. TIES keeps all ties at its threshold.
// - `rescale: density` is DARE's and does nothing in ties; `l1` applies to both.
// - DARE's masks (MaskSource::kCounter): element i of a tensor is kept where word i of Philox's stream (common/base/
//   random.h) under the key (mask seed, source's name, tensor's name) is below density * 2^32.
// - Embedding rows that a model lacks: see Inputs.
// Not thread-safe; runs its own threads. After the first merges by a method and set of models (statistics are kept), a
// merge allocates nothing that grows with the models.
class Merger {
 public:
  static absl::StatusOr<std::unique_ptr<Merger>> Create(MergerOptions options);
  ~Merger();

  const std::vector<TensorSpec>& output() const;

  // Writes the merged tensors, in the order of output(), each of `recipe.out_dtype`. On an error `out` is unchanged.
  absl::Status Merge(const Recipe& recipe, std::span<const MutableTensor> out);

 private:
  struct State;
  explicit Merger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace heterosis
