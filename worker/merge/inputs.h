// SPDX-License-Identifier: Apache-2.0
// The source models of a merge, lined up with the tensors of its result: same names, same shapes, and the rows of
// embedding and head matched by token.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/tensor.h"
#include "worker/merge/kernels.h"
#include "worker/merge/vocabulary.h"

namespace heterosis {

// A model that recipes may name.
struct MergeModel {
  std::string name;
  std::vector<ConstTensor> tensors;
  std::shared_ptr<const void> owner;    // keeps the tensors alive
  std::vector<std::string> vocabulary;  // token of each id; empty: rows are matched by place
};

// A checkpoint as a merge's model.
MergeModel ModelOf(std::string name, std::shared_ptr<const Checkpoint> checkpoint, std::vector<std::string> vocabulary);

// The models of one recipe, as indices.
struct Participants {
  int base = -1;  // -1: none
  std::vector<int> sources;
  bool operator==(const Participants&) const = default;
};

// Immutable after Create, thread-safe.
//
// A row (token) that a model lacks reads as the base's; where there is no base, or it lacks the token too, as the mean
// of the participants that have it. So a task vector's delta is 0 there, and mergekit's default rule holds. A row that
// no participant has reads as zeros.
class Inputs {
 public:
  // Errors name the model and the tensor: missing, of another shape, or a head that the result cannot express because
  // its own is tied. `output_vocabulary` may be empty if every model's is or all row counts agree.
  static absl::StatusOr<Inputs> Create(std::vector<TensorSpec> output, std::vector<std::string> output_vocabulary,
                                       std::vector<MergeModel> models);

  const std::vector<TensorSpec>& output() const { return output_; }
  size_t model_count() const { return models_.size(); }
  // Index of a model by name, or -1.
  int Find(std::string_view name) const;

  // How many elements from `begin` one Read may cover: a tile, cut at the end of a row where rows are matched.
  size_t TileLength(size_t tensor, int64_t begin, int64_t end) const;

  // Elements [begin, begin + n) of the tensor as `model` has them, n <= TileLength. `scratch` holds kTileElements
  // floats, `buffer` too: the result may lie in `scratch`.
  TileInput Read(const Participants& participants, int model, size_t tensor, int64_t begin, size_t n, DType work,
                 const Kernels& kernels, float* scratch, float* buffer) const;

 private:
  // One model's part of one tensor.
  struct View {
    const std::byte* data = nullptr;
    DType dtype = DType::kFloat32;
    const RowMap* rows = nullptr;  // nullptr: in place
  };

  absl::Status AddModel(const MergeModel& model, std::span<const std::string> output_vocabulary);
  absl::StatusOr<View> ViewOf(const MergeModel& model, const TensorSpec& spec,
                              std::span<const std::string> output_vocabulary, std::unique_ptr<RowMap>* map) const;
  // The model's own elements, or no data where it lacks the row.
  TileInput Own(int model, size_t tensor, int64_t begin) const;

  std::vector<TensorSpec> output_;
  std::vector<MergeModel> models_;
  std::vector<std::unique_ptr<RowMap>> row_maps_;  // one per model, or null
  std::vector<std::vector<View>> views_;           // [model][tensor]
  std::vector<bool> by_row_;                       // [tensor]: some model's rows are matched
};

}  // namespace heterosis
