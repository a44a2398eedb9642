// SPDX-License-Identifier: Apache-2.0
// Implements box.h.
#include "coordinator/optimizer/box.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace heterosis {

Box::Box(std::vector<double> lower, std::vector<double> upper) : lower_(std::move(lower)), upper_(std::move(upper)) {
  assert(lower_.size() == upper_.size());
}

bool Box::Contains(std::span<const double> point) const {
  for (size_t i = 0; i < lower_.size(); ++i) {
    if (point[i] < lower_[i] || point[i] > upper_[i]) return false;
  }
  return true;
}

bool Box::OnBoundary(std::span<const double> point) const {
  for (size_t i = 0; i < lower_.size(); ++i) {
    if (point[i] == lower_[i] || point[i] == upper_[i]) return true;
  }
  return false;
}

void Box::Clip(std::span<double> point) const {
  for (size_t i = 0; i < lower_.size(); ++i) point[i] = std::clamp(point[i], lower_[i], upper_[i]);
}

}  // namespace heterosis
