// SPDX-License-Identifier: Apache-2.0
// Implements ps_options.h: schema enums and messages to those of common/genome.
#include "common/config/ps_options.h"

namespace heterosis {
namespace {

MergeMethod MethodOf(v1::Merge::Method method) {
  switch (method) {
    case v1::Merge::DARE_TIES:
      return MergeMethod::kDareTies;
    case v1::Merge::TIES:
      return MergeMethod::kTies;
    case v1::Merge::DARE_LINEAR:
      return MergeMethod::kDareLinear;
    case v1::Merge::TASK_ARITHMETIC:
      return MergeMethod::kTaskArithmetic;
    case v1::Merge::LINEAR:
      return MergeMethod::kLinear;
    case v1::Merge::SLERP:
      return MergeMethod::kSlerp;
  }
  return MergeMethod::kLinear;
}

Granularity GranularityOf(v1::Merge::Granularity granularity) {
  switch (granularity) {
    case v1::Merge::LAYER:
      return Granularity::kLayer;
    case v1::Merge::MODEL:
      return Granularity::kModel;
    case v1::Merge::MODULE:
      return Granularity::kModule;
    case v1::Merge::GROUP:
      return Granularity::kGroup;
  }
  return Granularity::kLayer;
}

Rescale RescaleOf(v1::Merge::Rescale rescale) {
  switch (rescale) {
    case v1::Merge::DENSITY:
      return Rescale::kDensity;
    case v1::Merge::L1:
      return Rescale::kL1;
    case v1::Merge::NONE:
      return Rescale::kNone;
  }
  return Rescale::kDensity;
}

DType DTypeOf(v1::Merge::DType dtype) {
  switch (dtype) {
    case v1::Merge::FLOAT32:
      return DType::kFloat32;
    case v1::Merge::BFLOAT16:
      return DType::kBFloat16;
    case v1::Merge::FLOAT16:
      return DType::kFloat16;
  }
  return DType::kFloat32;
}

ParameterRange RangeOf(const v1::Range& range) {
  ParameterRange out;
  out.low = range.low();
  out.high = range.high();
  out.start = range.has_start() ? range.start() : out.low + (out.high - out.low) / 2;
  if (range.has_fixed()) out.fixed = range.fixed();
  return out;
}

}  // namespace

PsSpaceOptions PsOptionsFromConfig(const v1::Experiment& config, const v1::Phase& phase, int num_layers) {
  const v1::Merge& merge = phase.merge();
  PsSpaceOptions options;
  options.method = MethodOf(merge.method());
  if (options.method != MergeMethod::kLinear) options.base = config.base();
  options.sources.assign(merge.sources().begin(), merge.sources().end());
  options.tokenizer = config.tokenizer();
  options.granularity = GranularityOf(merge.granularity());
  options.group_layers = merge.group_layers();
  options.num_layers = num_layers;
  options.weight = RangeOf(merge.weight());
  options.density = RangeOf(merge.density());
  options.t = RangeOf(merge.t());
  options.normalize = merge.normalize();
  options.lambda = merge.lambda();
  options.rescale = RescaleOf(merge.rescale());
  options.mask_seed = merge.mask_seed();
  options.dtype = DTypeOf(merge.dtype());
  options.out_dtype = DTypeOf(merge.out_dtype());
  return options;
}

}  // namespace heterosis
