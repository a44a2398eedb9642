// SPDX-License-Identifier: Apache-2.0
// Small random parents of a few tensors, and recipes over them, for the tests of merges.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "tests/unit/worker/merge/tensor_values.h"
#include "worker/merge/merger.h"

namespace heterosis {

// Owns models; those but the first differ from it by small random deltas, in every tensor.
class Parents {
 public:
  Parents(std::vector<TensorSpec> specs, DType dtype) : specs_(std::move(specs)), dtype_(dtype) {}

  MergeModel Make(const std::string& name, double shift) {
    MergeModel model{.name = name, .tensors = {}, .owner = nullptr, .vocabulary = {}};
    for (const TensorSpec& spec : specs_) {
      RandomStream common(HashText(spec.name));
      RandomStream own(RandomKey({HashText(spec.name), HashText(name)}));
      std::vector<float> values(static_cast<size_t>(ElementCount(spec.shape)));
      for (float& value : values) value = static_cast<float>(common.NextNormal() * 0.05 + own.NextNormal() * shift);
      model.tensors.push_back(Store(spec, values));
    }
    return model;
  }

  // A tensor of given numbers.
  ConstTensor Store(const TensorSpec& spec, const std::vector<float>& values) {
    std::vector<std::byte>& bytes = memory_.emplace_back(values.size() * SizeBytes(dtype_));
    for (size_t i = 0; i < values.size(); ++i) {
      const uint16_t half = dtype_ == DType::kBFloat16 ? ToBFloat16(values[i]) : ToFloat16(values[i]);
      if (dtype_ == DType::kFloat32) {
        std::memcpy(bytes.data() + 4 * i, &values[i], 4);
      } else {
        std::memcpy(bytes.data() + 2 * i, &half, 2);
      }
    }
    return {spec.name, spec.shape, dtype_, bytes.data()};
  }

 private:
  std::vector<TensorSpec> specs_;
  DType dtype_;
  std::deque<std::vector<std::byte>> memory_;
};

// Owns the result of a merge.
struct Merged {
  std::vector<std::vector<std::byte>> bytes;
  std::vector<MutableTensor> tensors;

  Merged(const std::vector<TensorSpec>& specs, DType dtype) {
    for (const TensorSpec& spec : specs) {
      bytes.emplace_back(static_cast<size_t>(ElementCount(spec.shape)) * SizeBytes(dtype), std::byte{0x5A});
      tensors.push_back({spec.name, spec.shape, dtype, bytes.back().data()});
    }
  }
  std::vector<float> Values(size_t tensor) const {
    const MutableTensor& one = tensors[tensor];
    return ToFloats({one.name, one.shape, one.dtype, one.data});
  }
};

inline const std::vector<MergeMethod>& AllMethods() {
  static const std::vector<MergeMethod> kAll{MergeMethod::kLinear,         MergeMethod::kSlerp,
                                             MergeMethod::kTaskArithmetic, MergeMethod::kTies,
                                             MergeMethod::kDareLinear,     MergeMethod::kDareTies};
  return kAll;
}

// Over the base "base" and the sources "a", "b", "c" (slerp: "a" alone).
inline Recipe RecipeOver(MergeMethod method, DType work, DType out) {
  Recipe recipe;
  recipe.method = method;
  recipe.base = method == MergeMethod::kLinear ? "" : "base";
  recipe.sources = {"a", "b", "c"};
  recipe.tokenizer = "a";
  ParameterRow row{.match = {"*"}, .weight = {0.9, 0.5, 0.7}, .density = {}, .t = 0};
  if (method == MergeMethod::kTies || method == MergeMethod::kDareLinear || method == MergeMethod::kDareTies) {
    row.density = {0.3, 0.62, 1.0};
  }
  if (method == MergeMethod::kSlerp) {
    recipe.sources = {"a"};
    row.weight.clear();
    row.t = 0.4;
  }
  recipe.rows = {row};
  recipe.normalize = method == MergeMethod::kTies || method == MergeMethod::kLinear;
  recipe.mask_seed = 17;
  recipe.dtype = work;
  recipe.out_dtype = out;
  return recipe;
}

inline Merged MergeOnce(const MergerOptions& options, const Recipe& recipe) {
  Merged merged(options.output, recipe.out_dtype);
  auto merger = Merger::Create(options);
  EXPECT_TRUE(merger.ok()) << merger.status();
  if (!merger.ok()) return merged;
  const absl::Status status = (*merger)->Merge(recipe, merged.tensors);
  EXPECT_TRUE(status.ok()) << status;
  return merged;
}

}  // namespace heterosis
