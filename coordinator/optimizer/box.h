// SPDX-License-Identifier: Apache-2.0
// The bounds of a search space: one closed interval per gene, or none at all.
#pragma once

#include <span>
#include <vector>

namespace heterosis {

class Box {
 public:
  Box() = default;
  // Both of the space's dimension, or both empty: unbounded.
  Box(std::vector<double> lower, std::vector<double> upper);

  bool bounded() const { return !lower_.empty(); }
  bool Contains(std::span<const double> point) const;
  // Whether any value is one of its bounds, as Clip leaves it.
  bool OnBoundary(std::span<const double> point) const;
  // Moves every value outside its interval to the nearer end.
  void Clip(std::span<double> point) const;

  const std::vector<double>& lower() const { return lower_; }
  const std::vector<double>& upper() const { return upper_; }

 private:
  std::vector<double> lower_;
  std::vector<double> upper_;
};

}  // namespace heterosis
