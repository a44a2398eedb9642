// SPDX-License-Identifier: Apache-2.0
// mergekit's YAML files (mergekit 0.1.5, config.py; shared/facts/mergekit.md, section 2.1) as recipes and back. Only
// the `models:` form and the methods that recipes have; a file that asks for more is refused, never half understood.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"

namespace heterosis {

// A model's name in a recipe, and where it is as the YAML file has it (mergekit takes relative paths from the current
// folder).
struct NamedModel {
  std::string name;
  std::string path;
  bool operator==(const NamedModel&) const = default;
};

// What a file leaves to the models themselves.
struct MergekitModelFacts {
  int num_layers = 0;                // of each source model
  std::vector<std::string> tensors;  // names of the merged model's tensors
  DType dtype = DType::kBFloat16;    // of the source models' tensors: the arithmetic's where the file names no dtype
};

// A mergekit file that was read and checked as far as possible without its models. A value; thread-compatible.
class MergekitFile {
 public:
  // Errors begin with "file:line: "; `file` is only for them.
  static absl::StatusOr<MergekitFile> Parse(std::string_view text, const std::string& file);
  static absl::StatusOr<MergekitFile> Read(const std::string& path);

  // Every model of the file, the base last where `models` does not list it. Names are the last parts of the paths where
  // those are distinct, the whole paths otherwise.
  const std::vector<NamedModel>& models() const { return models_; }

  // The recipe. DARE is rescaled by L1 norms, as mergekit does, and masks come from our generator with seed 0, unless
  // the file says otherwise (MergekitText). Gradients are resolved per layer; tensors outside the layers, lm_head too,
  // take a gradient's first value. INVALID_ARGUMENT where a
  // tensor has no weight.
  absl::StatusOr<Recipe> ToRecipe(const MergekitModelFacts& facts) const;

 private:
  friend class MergekitParser;

  // A parameter's setting: the first case whose filter is part of the tensor's name counts ("" and "*": every name).
  struct Case {
    std::string filter;
    std::vector<double> gradient;  // one value, or several spread evenly over the layers
  };
  using Setting = std::vector<Case>;
  using Parameters = std::map<std::string, Setting, std::less<>>;  // "weight", "density" and "t", those that are set
  struct Tensor;

  absl::StatusOr<ParameterRow> RowOf(const Tensor& tensor) const;
  absl::StatusOr<double> Value(std::string_view parameter, std::optional<size_t> model, const Tensor& tensor) const;

  std::string file_;
  std::vector<NamedModel> models_;
  std::vector<Parameters> model_parameters_;  // in step with models_
  std::vector<int> model_lines_;              // in step with models_
  Parameters parameters_;                     // of the whole file: where a model's own say nothing
  std::vector<size_t> sources_;               // indexes in models_, without the base
  Recipe recipe_;                             // all but the rows
  bool has_dtype_ = false;
  bool has_out_dtype_ = false;
};

// The recipe as a mergekit file, which mergekit accepts; `models` must hold the base and every source. What mergekit
// cannot say (rescaling by density, our masks) is written as parameters of ours that it ignores, so that reading the
// file gives the same merge again. INVALID_ARGUMENT for a pattern with '*' in its middle: mergekit's filters are plain
// substrings of names.
//
// A path becomes a `passthrough` file of slices; scales, which mergekit cannot say, are comments. INVALID_ARGUMENT
// where a part of the path is a merge and no model on disk.
absl::StatusOr<std::string> MergekitText(const Recipe& recipe, const std::vector<NamedModel>& models);

}  // namespace heterosis
