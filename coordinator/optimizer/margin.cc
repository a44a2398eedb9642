// SPDX-License-Identifier: Apache-2.0
// Implements margin.h.
#include "coordinator/optimizer/margin.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "coordinator/optimizer/normal_distribution.h"

namespace heterosis {
namespace {

// How many standard deviations from the mean leave the probability `tail` beyond on one side. The package asks for the
// 1 - 2 tail quantile of |z|, whose rounding is kept.
double Deviations(double tail) {
  return -NormalQuantile((1 - (1 - 2 * tail)) / 2);
}

// A correction of one gene: its next mean and scale.
struct Corrected {
  double mean = 0;
  double scale = 0;
};

// The mean lies at an end of the grid: it comes no further from the last midpoint than the margin allows.
Corrected CorrectAtEnd(double mean, double scale, double deviation, double least, double low, double up,
                       const GeneGrid::Limits& limits) {
  if (std::min(low, up) >= least) return {mean, scale};
  const double side = mean > limits.upper ? 1 : mean < limits.upper ? -1 : 0;
  return {limits.upper + side * deviation * scale * Deviations(least), scale};
}

// The mean's value has a neighbour on both sides: both get at least half of the margin, the rest is taken evenly.
Corrected CorrectInside(double deviation, double least, double low, double up, const GeneGrid::Limits& limits) {
  const double middle = 1 - (low + up);
  const double raised_low = std::max(low, least / 2);
  const double raised_up = std::max(up, least / 2);
  const double excess = 1 - raised_low - raised_up - middle;
  const double room = raised_low + middle + raised_up - 3 * least / 2;
  const double next_low = raised_low + excess * (raised_low - least / 2) / room;
  const double next_up = raised_up + excess * (raised_up - least / 2) / room;
  const double below = Deviations(std::clamp(next_low, 1e-10, 0.5 - 1e-10));
  const double above = Deviations(std::clamp(next_up, 1e-10, 0.5 - 1e-10));
  return {(limits.lower * above + limits.upper * below) / (below + above),
          (limits.upper - limits.lower) / ((below + above) * deviation)};
}

}  // namespace

GeneGrid::GeneGrid(const OptimizerOptions& resolved) {
  for (size_t i = 0; i < resolved.steps.size(); ++i) {
    if (!(resolved.steps[i] > 0)) continue;
    genes_.push_back(i);
    lower_.push_back(resolved.lower[i]);
    upper_.push_back(resolved.upper[i]);
    steps_.push_back(resolved.steps[i]);
    last_.push_back(std::round((resolved.upper[i] - resolved.lower[i]) / resolved.steps[i]));
  }
}

double GeneGrid::IndexOf(size_t k, double value) const {
  double index = std::clamp(std::floor((value - lower_[k]) / steps_[k] + 0.5), 0.0, last_[k]);
  // A midpoint belongs to the value below it, also where the division has rounded.
  if (index > 0 && value <= Midpoint(k, index - 1)) --index;
  if (index < last_[k] && value > Midpoint(k, index)) ++index;
  return index;
}

double GeneGrid::Nearest(size_t k, double value) const {
  return std::min(At(k, IndexOf(k, value)), upper_[k]);
}

GeneGrid::Limits GeneGrid::LimitsOf(size_t k, double value) const {
  const double index = IndexOf(k, value);
  return {Midpoint(k, std::max(index - 1, 0.0)), Midpoint(k, std::min(index, last_[k] - 1))};
}

Box GeneGrid::WithoutDiscrete(const Box& box) const {
  std::vector<double> lower = box.lower();
  std::vector<double> upper = box.upper();
  for (const size_t gene : genes_) {
    lower[gene] = -std::numeric_limits<double>::infinity();
    upper[gene] = std::numeric_limits<double>::infinity();
  }
  return Box(std::move(lower), std::move(upper));
}

void PutOnGrid(const GeneGrid& grid, const MarginState& margin, std::span<const double> mean, std::span<double> point) {
  for (size_t k = 0; k < grid.genes().size(); ++k) {
    const size_t gene = grid.genes()[k];
    point[gene] = grid.Nearest(k, (point[gene] - mean[gene]) * margin.scales[gene] + mean[gene]);
  }
}

void KeepMargin(const GeneGrid& grid, double least, CmaState& state, MarginState& margin) {
  for (size_t k = 0; k < grid.genes().size(); ++k) {
    const size_t gene = grid.genes()[k];
    double& mean = state.mean[gene];
    double& scale = margin.scales[gene];
    const GeneGrid::Limits limits = grid.LimitsOf(k, mean);
    const double deviation = state.sigma * std::sqrt(state.c.row(gene)[gene]);
    const double low = NormalCdf((limits.lower - mean) / (scale * deviation));
    const double up = 1 - NormalCdf((limits.upper - mean) / (scale * deviation));
    // Two values have one midpoint, and no inside: the package's scale becomes 0 where the mean is exactly on it.
    const bool at_end = std::max(low, up) > 0.5 || limits.lower == limits.upper;
    const Corrected next = at_end ? CorrectAtEnd(mean, scale, deviation, least, low, up, limits)
                                  : CorrectInside(deviation, least, low, up, limits);
    mean = next.mean;
    scale = next.scale;
  }
}

}  // namespace heterosis
