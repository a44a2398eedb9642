// SPDX-License-Identifier: Apache-2.0
// What every search space has: named genes with ranges, their scaling to the unit cube in which optimizers work, and
// the way from a genome to a recipe. The spaces are files of their own: ps_space.h and dfs_space.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/genome/recipe.h"

namespace heterosis {

// One dimension of the search, in the units of the parameter it stands for.
struct Gene {
  std::string name;  // group/parameter: "layer.3/ja.weight"
  double low = 0;
  double high = 1;
  double start = 0.5;
  bool operator==(const Gene&) const = default;
};

// A genome in gene units as a point of [0,1]^n and back; both ends of a range are mapped exactly. Values outside the
// ranges are scaled alike, not clipped. `values` has one value per gene.
std::vector<double> ScaleToUnit(std::span<const Gene> genes, std::span<const double> values);
std::vector<double> ScaleFromUnit(std::span<const Gene> genes, std::span<const double> values);

// The genes' starting values, in gene units.
std::vector<double> StartGenome(std::span<const Gene> genes);

// A genome with a meaning that people know: a model as it is, the uniform merge.
struct KnownPoint {
  std::string label;
  std::vector<double> genome;  // in gene units
};

// Immutable; const methods may be called from any thread.
class SearchSpace {
 public:
  virtual ~SearchSpace() = default;

  virtual const std::vector<Gene>& genes() const = 0;
  int dimension() const { return static_cast<int>(genes().size()); }

  // The model that a genome stands for; `genome` has `dimension()` values in gene units, each inside its range.
  virtual Recipe Decode(std::span<const double> genome) const = 0;

  // Why a decoded recipe is not to be evaluated ("70 hops, at most 64 are allowed"), or "" for one that is.
  virtual std::string Infeasible(const Recipe& recipe) const = 0;

  // The points that are worth knowing before a search, as far as the ranges allow them.
  virtual std::vector<KnownPoint> KnownPoints() const = 0;

  // How many genes, the first ones, are bits: only whether one is above zero counts.
  virtual int bits() const { return 0; }
  // Clears `active` (one per gene, 1 before) where a gene has no effect on the recipe of this genome.
  virtual void MarkActive(std::span<const double>, std::span<char>) const {}
  // Changes a genome a little, in a way that fits the space.
  virtual void Mutate(std::span<double>, RandomStream&) const {}
};

// The label of the merge of all sources with equal weights that sum to 1.
inline constexpr char kUniformLabel[] = "uniform";

}  // namespace heterosis
