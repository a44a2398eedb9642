// SPDX-License-Identifier: Apache-2.0
// The parameter space (PS) of arXiv 2403.13187, section 3.1: merging parameters per source model and group of tensors
// are the genes; a genome decodes to a recipe (DESIGN.md section 5).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "common/genome/search_space.h"

namespace heterosis {

// Which tensors share their parameters: all of them; those of a decoder layer; the attention, the MLP or the norms of
// a layer; those of `group_layers` layers in a row. Except for kModel, the input embedding is a group of its own, and
// so is the output head with the final norm.
enum class Granularity { kModel, kLayer, kModule, kGroup };

// The range of one kind of parameter. A fixed parameter is no gene.
struct ParameterRange {
  double low = 0;
  double high = 1;
  double start = 0.5;
  std::optional<double> fixed;
};

struct PsSpaceOptions {
  MergeMethod method = MergeMethod::kDareTies;
  std::string base;                  // empty for linear
  std::vector<std::string> sources;  // without the base; exactly one for slerp
  std::string tokenizer;
  Granularity granularity = Granularity::kLayer;
  int group_layers = 1;    // used by kGroup
  int num_layers = 0;      // decoder layers of each model (num_hidden_layers); not used by kModel
  ParameterRange weight;   // all methods but slerp
  ParameterRange density;  // ties and dare_*
  ParameterRange t;        // slerp
  bool normalize = false;
  double lambda = 1.0;
  Rescale rescale = Rescale::kDensity;
  MaskSource mask = MaskSource::kCounter;
  uint64_t mask_seed = 0;
  DType dtype = DType::kFloat32;
  DType out_dtype = DType::kBFloat16;
};

class PsSpace : public SearchSpace {
 public:
  // INVALID_ARGUMENT where the options make no search space: a wrong number of sources, an empty or inverted range,
  // nothing left to search.
  static absl::StatusOr<PsSpace> Create(PsSpaceOptions options);

  // Group by group; in a group source by source, the weight before the density.
  const std::vector<Gene>& genes() const override { return genes_; }
  Recipe Decode(std::span<const double> genome) const override;
  std::string Infeasible(const Recipe&) const override { return ""; }  // every merge can be evaluated
  // The uniform merge, then each source.
  std::vector<KnownPoint> KnownPoints() const override;

  // The genome whose merge is one of the models unchanged (a source, or the base), in gene units. FAILED_PRECONDITION
  // where the ranges or fixed values do not allow it: weight 1 with density 1 for it and weight 0 for the others.
  absl::StatusOr<std::vector<double>> EncodeModel(std::string_view model) const;

  // The genome of the uniform merge: each of k sources with weight 1/k, slerp in the middle, density 1 or as near as
  // its range allows. FAILED_PRECONDITION where the ranges do not allow these weights.
  absl::StatusOr<std::vector<double>> EncodeUniform() const;

 private:
  struct Group {
    std::string name;
    std::vector<std::string> match;
  };

  explicit PsSpace(PsSpaceOptions options) : options_(std::move(options)) {}
  void MakeGroups();
  void MakeGenes();
  // The genome in which each group has these values; `density` is brought into its range.
  std::vector<double> Encode(const std::vector<double>& weights, double density, double t) const;

  PsSpaceOptions options_;
  std::vector<Group> groups_;
  std::vector<Gene> genes_;
};

}  // namespace heterosis
