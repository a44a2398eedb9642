// SPDX-License-Identifier: Apache-2.0
// Implements path.h.
#include "worker/model/path.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace heterosis {

PathConfig IdentityPath(int64_t layers) {
  PathConfig path;
  for (int64_t layer = 0; layer < layers; ++layer) path.hops.push_back({static_cast<int>(layer), 1.0f});
  return path;
}

absl::Status CheckPath(const PathConfig& path, int64_t layers) {
  if (path.hops.empty()) return absl::InvalidArgumentError("the path has no hop");
  for (size_t i = 0; i < path.hops.size(); ++i) {
    const PathHop& hop = path.hops[i];
    if (hop.layer < 0 || hop.layer >= layers) {
      return absl::InvalidArgumentError(
          absl::StrCat("hop ", i, " of the path names layer ", hop.layer, ", but there are ", layers, " layers"));
    }
    if (!std::isfinite(hop.scale)) {
      return absl::InvalidArgumentError(absl::StrCat("hop ", i, " of the path has a scale that is not finite"));
    }
  }
  return absl::OkStatus();
}

std::vector<PathStep> StepsOf(const PathConfig& path) {
  std::vector<PathStep> steps;
  for (size_t i = 0; i < path.hops.size(); ++i) {
    PathStep& step = steps.emplace_back();
    step.layer = path.hops[i].layer;
    if (i == 0 || path.scale_applies_to == ScaleTarget::kStream) {
      step.state = path.hops[i].scale;
    } else {
      steps[i - 1].mlp = path.hops[i].scale;
    }
  }
  return steps;
}

}  // namespace heterosis
