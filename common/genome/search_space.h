// SPDX-License-Identifier: Apache-2.0
// What every search space has: named genes with ranges, and their scaling to the unit cube in which optimizers work.
// The spaces themselves are files of their own (ps_space.h), each with its options, genes() and Decode.
#pragma once

#include <span>
#include <string>
#include <vector>

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

}  // namespace heterosis
