// SPDX-License-Identifier: Apache-2.0
// Implements search_space.h.
#include "common/genome/search_space.h"

#include <cassert>
#include <cmath>

namespace heterosis {

std::vector<double> ScaleToUnit(std::span<const Gene> genes, std::span<const double> values) {
  assert(genes.size() == values.size());
  std::vector<double> unit(values.size());
  for (size_t i = 0; i < values.size(); ++i) unit[i] = (values[i] - genes[i].low) / (genes[i].high - genes[i].low);
  return unit;
}

std::vector<double> ScaleFromUnit(std::span<const Gene> genes, std::span<const double> values) {
  assert(genes.size() == values.size());
  std::vector<double> genome(values.size());
  for (size_t i = 0; i < values.size(); ++i) genome[i] = std::lerp(genes[i].low, genes[i].high, values[i]);
  return genome;
}

std::vector<double> StartGenome(std::span<const Gene> genes) {
  std::vector<double> start;
  for (const Gene& gene : genes) start.push_back(gene.start);
  return start;
}

}  // namespace heterosis
