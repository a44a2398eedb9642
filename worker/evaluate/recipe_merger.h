// SPDX-License-Identifier: Apache-2.0
// From a recipe and a library of models to a merger and the configuration of its result.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "worker/checkpoint/model_config.h"
#include "worker/evaluate/model_library.h"
#include "worker/merge/merger.h"

namespace heterosis {

// What one merger can serve: recipes that differ in anything else (weights, method, seeds) share it.
struct MergeShape {
  std::string base;
  std::vector<std::string> sources;
  std::string tokenizer;
  DType out_dtype = DType::kFloat32;
  bool layers_only = false;       // no embedding, final norm and head: a later part of a path
  bool depth_of_sources = false;  // the result has the sizes of its sources' layers, not those of the tokenizer's model
  bool operator==(const MergeShape&) const = default;
};
MergeShape ShapeOf(const Recipe& recipe);

struct RecipeMerger {
  MergeShape shape;
  ModelConfig config;  // of the merged model
  LoadedModel tokenizer_model;
  std::unique_ptr<Merger> merger;
};

// INVALID_ARGUMENT where the models differ in depth, or one is a data-flow model itself.
absl::StatusOr<RecipeMerger> MakeRecipeMerger(const MergeShape& shape, ModelLibrary& library, int threads);

}  // namespace heterosis
