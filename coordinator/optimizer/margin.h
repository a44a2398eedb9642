// SPDX-License-Identifier: Apache-2.0
// Discrete genes under a normal distribution (Hamano, Saito, Nomura, Shirakawa: "CMA-ES with Margin", 2022, as the
// `cmaes` package's CMAwM): the nearest value on a gene's grid is what a candidate gets, and after each update the
// distribution is corrected so that no neighbouring value of the mean falls below a small probability.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "coordinator/optimizer/cma_core.h"
#include "coordinator/optimizer/optimizer.h"

namespace heterosis {

// The discrete genes of a search: those with a step, on the grid lower, lower + step, ..., upper.
class GeneGrid {
 public:
  // `resolved` options, whose steps fit their bounds.
  explicit GeneGrid(const OptimizerOptions& resolved);

  const std::vector<size_t>& genes() const { return genes_; }
  // The value on the grid of the k-th discrete gene that is nearest to `value`, the lower one at a midpoint.
  double Nearest(size_t k, double value) const;
  // The midpoints below and above that value; at the grid's ends both are the one that there is.
  struct Limits {
    double lower = 0;
    double upper = 0;
  };
  Limits LimitsOf(size_t k, double value) const;
  // The discrete genes' intervals become unbounded: their values are kept on the grid by Nearest.
  Box WithoutDiscrete(const Box& box) const;

 private:
  double IndexOf(size_t k, double value) const;
  double At(size_t k, double index) const { return lower_[k] + index * steps_[k]; }
  double Midpoint(size_t k, double index) const { return (At(k, index) + At(k, index + 1)) / 2; }

  std::vector<size_t> genes_;
  std::vector<double> lower_;
  std::vector<double> upper_;
  std::vector<double> steps_;
  std::vector<double> last_;  // the highest index
};

// What the margin adds to a CmaState.
struct MarginState {
  std::vector<double> scales;  // A: the factor of every gene's deviation from the mean before it is put on the grid
};

// The genome of a drawn point: its discrete genes on the grid.
void PutOnGrid(const GeneGrid& grid, const MarginState& margin, std::span<const double> mean, std::span<double> point);

// Moves the mean and the scales of the discrete genes so that the values next to the mean's keep the probability
// `least` on each side.
void KeepMargin(const GeneGrid& grid, double least, CmaState& state, MarginState& margin);

}  // namespace heterosis
