// SPDX-License-Identifier: Apache-2.0
// Implements dfs_options.h.
#include "common/config/dfs_options.h"

#include "common/config/resolve.h"

namespace heterosis {
namespace {

constexpr double kScaleLow = 0.7, kScaleHigh = 1.3;  // the defaults: one starting standard deviation is 0.1

HopScales ScalesOf(v1::Path::Scales scales) {
  switch (scales) {
    case v1::Path::MATRIX:
      return HopScales::kMatrix;
    case v1::Path::SLOT:
      return HopScales::kSlot;
    case v1::Path::NONE:
      return HopScales::kNone;
  }
  return HopScales::kMatrix;
}

DType DTypeOf(v1::Path::DType dtype) {
  switch (dtype) {
    case v1::Path::FLOAT32:
      return DType::kFloat32;
    case v1::Path::BFLOAT16:
      return DType::kBFloat16;
    case v1::Path::FLOAT16:
      return DType::kFloat16;
  }
  return DType::kBFloat16;
}

void SetScaleRange(const v1::Path& path, DfsSpaceOptions& options) {
  const v1::Range& range = path.scale();
  options.scale_low = range.has_low() ? range.low() : kScaleLow;
  options.scale_high = range.has_high() ? range.high() : kScaleHigh;
  options.scale_start = range.has_start() ? range.start() : 1;
}

}  // namespace

const v1::Phase* FindPhase(const v1::Experiment& config, const std::string& name) {
  for (const v1::Phase& phase : config.phases()) {
    if (phase.name() == name) return &phase;
  }
  return nullptr;
}

int LayersOfMerge(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers) {
  const std::vector<std::string> sources = SourcesOf(config, phase.merge());
  if (sources.empty()) return 0;
  const auto found = layers.find(sources[0]);
  return found == layers.end() ? 0 : found->second;
}

DfsSpaceOptions DfsOptionsFromConfig(const v1::Experiment& config, const v1::Phase& phase, const ModelLayers& layers) {
  const v1::Path& path = phase.path();
  DfsSpaceOptions options;
  for (const v1::Source& source : path.sources()) {
    if (source.has_phase()) {
      const v1::Phase* earlier = FindPhase(config, source.phase());
      options.names.push_back(source.phase());
      options.layers.push_back(earlier == nullptr ? 0 : LayersOfMerge(config, *earlier, layers));
    } else {
      const auto found = layers.find(source.model());
      options.names.push_back(source.model());
      options.layers.push_back(found == layers.end() ? 0 : found->second);
    }
  }
  options.repeats = path.repeats();
  options.scales = ScalesOf(path.scales());
  SetScaleRange(path, options);
  options.scale_applies_to = path.scale_applies_to() == v1::Path::BRANCH ? ScaleTarget::kBranch : ScaleTarget::kStream;
  options.include_first = path.include_first();
  options.include_rest = path.include_rest();
  options.max_hops = path.max_hops();
  options.max_distinct_layers = path.max_distinct_layers();
  options.out_dtype = DTypeOf(path.out_dtype());
  return options;
}

}  // namespace heterosis
