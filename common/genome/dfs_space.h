// SPDX-License-Identifier: Apache-2.0
// The data-flow space (DFS) of arXiv 2403.13187, section 3.2: which layers of two or more models the data run through,
// in which order, and how the data are scaled between them (DESIGN.md section 5).
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "common/genome/search_space.h"

namespace heterosis {

// Whose value scales a hop: W of the layer before it and its own (M x M genes), its slot's (one gene a slot), or
// nobody's.
enum class HopScales { kMatrix, kSlot, kNone };

struct DfsSpaceOptions {
  std::vector<std::string> names;  // of the parts, for the genes' names; two or more, A first
  std::vector<int> layers;         // of each part
  int repeats = 3;                 // r: every layer is offered r times
  HopScales scales = HopScales::kMatrix;
  double scale_low = 0.7, scale_high = 1.3, scale_start = 1;
  ScaleTarget scale_applies_to = ScaleTarget::kStream;
  // The starting means of the indicators, in their starting standard deviations: of A's layers in the first pass, and
  // of all other slots. Above zero a slot is more likely in the path than not.
  double include_first = 2, include_rest = -2;
  int max_hops = 0;             // a longer path is infeasible; 0: no limit
  int max_distinct_layers = 0;  // likewise, layers of all parts together
  DType out_dtype = DType::kBFloat16;
};

// M layers in all, part 0's (A's) first; T = M * r slots, slot t offers layer t mod M and is in the path where its
// indicator I_t > 0. A path begins with A's first layer and ends with A's last one: either is put there where the slots
// do not. Genes: the T indicators in units of their starting standard deviation, in [-3, 3], then the scales. The first
// hop has no layer before it: with `kMatrix` it is not scaled. The scale of a layer that a rule has put at the end is
// that of the last slot that offers it. Scales of layers that are not taken are inert.
class DfsSpace : public SearchSpace {
 public:
  // INVALID_ARGUMENT where the options make no space: fewer than two parts, no repeats, empty ranges.
  static absl::StatusOr<DfsSpace> Create(DfsSpaceOptions options);

  // The recipes of the parts, in the order of `names`; Decode gives paths without parts before. A part may be an
  // earlier phase's winner, which is not known at Create.
  void SetParts(std::vector<Recipe> parts, std::string tokenizer);

  const std::vector<Gene>& genes() const override { return genes_; }
  Recipe Decode(std::span<const double> genome) const override;
  std::string Infeasible(const Recipe& recipe) const override;
  // A as it is: its layers once, in order, unscaled.
  std::vector<KnownPoint> KnownPoints() const override;

  int bits() const override { return slots(); }
  void MarkActive(std::span<const double> genome, std::span<char> active) const override;
  // One of: a slot is put in, a slot is taken out, a slot gives way to another one, a run of up to four layers that are
  // in the path is taken once more in the next repeat, or a run is taken out.
  void Mutate(std::span<double> genome, RandomStream& random) const override;

  int layers_in_all() const { return static_cast<int>(places_.size()); }  // M
  int slots() const { return layers_in_all() * options_.repeats; }        // T

 private:
  struct Place {
    int part, layer;
  };

  explicit DfsSpace(DfsSpaceOptions options) : options_(std::move(options)) {}
  void MakeGenes();
  std::vector<int> SlotsOfPath(std::span<const double> genome) const;
  // The gene that scales the hop to `slot`, or -1 for a hop that is not scaled; `slot_before` is -1 for the first hop.
  int ScaleGene(int slot, int slot_before) const;

  DfsSpaceOptions options_;
  std::vector<Place> places_;  // of the M layers
  std::vector<Gene> genes_;
  std::vector<Recipe> parts_;
  std::string tokenizer_;
};

// "A00 A01 x0.93 B07": a path for people, parts as letters.
std::string PathText(const Recipe& recipe);

}  // namespace heterosis
