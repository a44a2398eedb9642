// SPDX-License-Identifier: Apache-2.0
// Implements model.h.
#include "worker/model/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "worker/model/aten_engine.h"
#include "worker/model/cpu/cpu_engine.h"
#include "worker/model/weights.h"

namespace heterosis {
namespace {

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const ModelConfig& config, const DecoderWeights& weights,
                                                   const Device& device, const ModelOptions& options) {
  if (device.kind == Device::Kind::kCuda || options.generic) {
    return MakeAtenEngine(config, weights, device, options.compute);
  }
  if (options.compute == DType::kFloat16) {
    return absl::InvalidArgumentError("compute dtype float16 needs a GPU: use float32 or bfloat16 on a CPU");
  }
  const bool bf16 = options.compute == DType::kBFloat16;
  return cpu::MakeCpuEngine(config, weights, bf16, device.threads, cpu::BestKernels(bf16));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> Model::Create(const ModelConfig& config, const Device& device,
                                                     const ModelOptions& options) {
  std::unique_ptr<Model> model(new Model(config, device));
  ASSIGN_OR_RETURN(model->weights_, WeightBuffers::Allocate(ExpectedTensors(config), options.stored));
  const bool dynamic = config.rope.kind == RopeConfig::Kind::kDynamic;
  model->positions_max_ =
      dynamic ? static_cast<int64_t>(std::floor(static_cast<double>(config.max_positions) * config.rope.factor))
              : config.max_positions;
  ASSIGN_OR_RETURN(model->engine_, MakeEngine(config, ArrangeWeights(config, model->slots()), device, options));
  RETURN_IF_ERROR(model->SetPath(config.path.hops.empty() ? IdentityPath(config.num_layers) : config.path));
  return model;
}

absl::Status Model::SetPath(const PathConfig& path) {
  RETURN_IF_ERROR(CheckPath(path, config_.num_layers));
  rows_ = 0;
  positions_ = 0;
  engine_->SetPath(StepsOf(path));
  hops_ = static_cast<int64_t>(path.hops.size());
  return absl::OkStatus();
}

absl::Status Model::LoadFrom(const Checkpoint& checkpoint) {
  const std::vector<ConstTensor>& tensors = checkpoint.tensors();
  const std::span<const MutableTensor> to = slots();
  if (tensors.size() != to.size()) {
    return absl::InvalidArgumentError(absl::StrCat(checkpoint.folder(), ": has ", tensors.size(),
                                                   " tensors, the model has ", to.size(),
                                                   ": they are not of one architecture"));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name != to[i].name || tensors[i].shape != to[i].shape) {
      return absl::InvalidArgumentError(absl::StrCat(checkpoint.folder(), ": tensor ", tensors[i].name,
                                                     " is not the model's ", to[i].name, " in name or shape"));
    }
    CopyConverted(tensors[i], to[i]);
  }
  return WeightsChanged();
}

absl::Status Model::ReserveCache(int rows, int64_t positions) {
  RETURN_IF_ERROR(engine_->ReserveCache(rows, positions));
  rows_ = rows;
  positions_ = positions;
  return absl::OkStatus();
}

absl::Status Model::CheckSegments(std::span<const Segment> segments) const {
  for (const Segment& segment : segments) {
    const int64_t end = segment.position + static_cast<int64_t>(segment.tokens.size());
    if (segment.row < 0 || segment.row >= rows_ || segment.position < 0 || segment.tokens.empty() || end > positions_) {
      return absl::InvalidArgumentError(absl::StrCat("tokens [", segment.position, ", ", end, ") of row ", segment.row,
                                                     " are outside the cache of ", rows_, " x ", positions_));
    }
    for (const int32_t token : segment.tokens) {
      if (token < 0 || token >= config_.vocab_size) {
        return absl::InvalidArgumentError(absl::StrCat("token ", token, " is outside the model's vocabulary of ",
                                                       config_.vocab_size, ": is this its tokenizer?"));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Model::Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) {
  RETURN_IF_ERROR(CheckSegments(segments));
  return engine_->Forward(segments, next, logits);
}

absl::StatusOr<std::vector<float>> Model::Logits(std::span<const int32_t> tokens) {
  RETURN_IF_ERROR(ReserveCache(1, static_cast<int64_t>(tokens.size())));
  const Segment segment{0, 0, tokens};
  RETURN_IF_ERROR(CheckSegments({&segment, 1}));
  std::vector<float> logits(tokens.size() * static_cast<size_t>(config_.vocab_size));
  NextToken next;
  RETURN_IF_ERROR(engine_->Forward({&segment, 1}, {&next, 1}, logits.data()));
  return logits;
}

}  // namespace heterosis
