// SPDX-License-Identifier: Apache-2.0
// Implements aten_engine.h. Correct before fast: fused projections and one padded attention per group of segments.
#include "worker/model/aten_engine.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/model/aten_batch.h"
#include "worker/model/rope.h"

namespace heterosis {
namespace {

at::ScalarType ScalarTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kFloat32:
      break;
  }
  return at::kFloat;
}

// The device's copy of one or more stacked tensors, kept in step by Refresh.
class DeviceTensor {
 public:
  // No tensors: stays undefined.
  DeviceTensor(std::vector<const MutableTensor*> parts, const at::TensorOptions& options) : parts_(std::move(parts)) {
    if (parts_.empty() || parts_[0] == nullptr) {
      parts_.clear();
      return;
    }
    std::vector<int64_t> shape = parts_[0]->shape;
    shape[0] = 0;
    for (const MutableTensor* part : parts_) shape[0] += part->shape[0];
    value_ = at::empty(shape, options);
  }

  void Refresh() const {
    int64_t row = 0;
    for (const MutableTensor* part : parts_) {
      const at::Tensor host = at::from_blob(part->data, part->shape, ScalarTypeOf(part->dtype));
      value_.narrow(0, row, part->shape[0]).copy_(host);
      row += part->shape[0];
    }
  }
  const at::Tensor& value() const { return value_; }
  std::optional<at::Tensor> optional() const { return value_.defined() ? std::optional(value_) : std::nullopt; }

 private:
  std::vector<const MutableTensor*> parts_;
  at::Tensor value_;
};

struct DeviceLinear {
  DeviceTensor weight, bias;

  DeviceLinear(std::vector<LinearWeights> parts, const at::TensorOptions& options)
      : weight(Select(parts, &LinearWeights::weight), options), bias(Select(parts, &LinearWeights::bias), options) {}

  at::Tensor operator()(const at::Tensor& x) const { return at::linear(x, weight.value(), bias.optional()); }
  void Refresh() const {
    weight.Refresh();
    bias.Refresh();
  }

 private:
  static std::vector<const MutableTensor*> Select(const std::vector<LinearWeights>& parts,
                                                  const MutableTensor* LinearWeights::*member) {
    std::vector<const MutableTensor*> tensors;
    for (const LinearWeights& part : parts) tensors.push_back(part.*member);
    return tensors;
  }
};

struct DeviceLayer {
  DeviceTensor input_norm, post_norm;
  DeviceLinear qkv, o, gate_up, down;

  DeviceLayer(const LayerWeights& w, const at::TensorOptions& options)
      : input_norm({w.input_norm}, options),
        post_norm({w.post_norm}, options),
        qkv({w.q, w.k, w.v}, options),
        o({w.o}, options),
        gate_up({w.gate, w.up}, options),
        down({w.down}, options) {}
};

// libtorch reports errors by exceptions: they end here.
template <typename Function>
absl::Status Guarded(const Device& device, const Function& function) {
  try {
    const c10::InferenceMode guard;
    function();
    return absl::OkStatus();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(absl::StrCat(Name(device), ": ", error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return absl::InternalError(absl::StrCat(Name(device), ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(Name(device), ": ", error.what()));
  }
}

class AtenEngine : public Engine {
 public:
  AtenEngine(const ModelConfig& config, const DecoderWeights& weights, const Device& device, DType compute)
      : config_(config),
        device_(device),
        options_(at::TensorOptions(ScalarTypeOf(compute))
                     .device(device.kind == Device::Kind::kCuda ? c10::kCUDA : c10::kCPU,
                             static_cast<c10::DeviceIndex>(device.kind == Device::Kind::kCuda ? device.index : -1))),
        embedding_({weights.embedding}, options_),
        norm_({weights.norm}, options_),
        tied_(weights.head.weight == weights.embedding) {
    AtenEngine::SetPath(StepsOf(IdentityPath(config.num_layers)));
    for (const LayerWeights& layer : weights.layers) layers_.emplace_back(layer, options_);
    if (!tied_) head_.emplace(std::vector<const MutableTensor*>{weights.head.weight}, options_);
  }

  absl::Status WeightsChanged() override;
  void SetPath(std::span<const PathStep> steps) override {
    path_.assign(steps.begin(), steps.end());
    keys_.clear();
    values_.clear();
  }
  size_t CacheBytesPerRow(int64_t positions) const override {
    return path_.size() * static_cast<size_t>(2 * config_.num_kv_heads * config_.head_dim * positions) *
           c10::elementSize(c10::typeMetaToScalarType(options_.dtype()));
  }
  absl::Status ReserveCache(int rows, int64_t positions) override;
  size_t CacheBytes() const override { return cache_.defined() ? cache_.nbytes() : 0; }
  absl::Status Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) override;

 private:
  at::Tensor Norm(const at::Tensor& x, const DeviceTensor& weight) const;
  at::Tensor Rotate(const at::Tensor& x, const AtenBatch& batch) const;
  at::Tensor Attend(const AtenBatch& batch, const at::Tensor& q, size_t hop) const;
  at::Tensor RunMlp(const DeviceLayer& layer, const at::Tensor& hidden) const;
  at::Tensor RunLayers(const AtenBatch& batch);
  at::Tensor RunHead(const at::Tensor& hidden) const;

  const ModelConfig config_;
  const Device device_;
  const at::TensorOptions options_;
  DeviceTensor embedding_;
  std::vector<DeviceLayer> layers_;
  DeviceTensor norm_;
  const bool tied_;
  std::optional<DeviceTensor> head_;
  int64_t rows_ = 0;
  int64_t positions_ = 0;
  std::optional<Rope> rope_;
  std::vector<PathStep> path_;
  at::Tensor cache_;                       // all of it, flat: paths of any length share the memory
  std::vector<at::Tensor> keys_, values_;  // its part for a step of the path: [rows * positions, kv_heads * head_dim]
};

absl::Status AtenEngine::WeightsChanged() {
  return Guarded(device_, [&] {
    embedding_.Refresh();
    for (const DeviceLayer& layer : layers_) {
      layer.input_norm.Refresh();
      layer.post_norm.Refresh();
      for (const DeviceLinear* linear : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) linear->Refresh();
    }
    norm_.Refresh();
    if (head_.has_value()) head_->Refresh();
  });
}

absl::Status AtenEngine::ReserveCache(int rows, int64_t positions) {
  return Guarded(device_, [&] {
    const int64_t width = config_.num_kv_heads * config_.head_dim;
    const int64_t part = rows * positions * width, all = 2 * static_cast<int64_t>(path_.size()) * part;
    keys_.clear();
    values_.clear();
    if (!cache_.defined() || all > cache_.size(0)) {
      cache_ = at::Tensor();  // before the new one is asked for
      cache_ = at::zeros({all}, options_);
    } else {  // the memory is kept, its start is used
      cache_.narrow(0, 0, all).zero_();
    }
    for (int64_t at = 0; at < all; at += 2 * part) {
      keys_.push_back(cache_.narrow(0, at, part).view({rows * positions, width}));
      values_.push_back(cache_.narrow(0, at + part, part).view({rows * positions, width}));
    }
    if (!rope_.has_value() || positions > positions_) rope_.emplace(config_, positions);
    rows_ = rows;
    positions_ = positions;
  });
}

at::Tensor AtenEngine::Norm(const at::Tensor& x, const DeviceTensor& weight) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = (wide * wide).mean(-1, true).add(config_.rms_norm_eps).rsqrt();
  return (wide * scale).to(x.scalar_type()) * weight.value();
}

at::Tensor AtenEngine::Rotate(const at::Tensor& x, const AtenBatch& batch) const {
  const int64_t half = config_.head_dim / 2;
  const at::Tensor swapped = at::cat({x.narrow(2, half, half), x.narrow(2, 0, half)}, 2);
  return x * batch.cosine + swapped * batch.sine;
}

at::Tensor AtenEngine::Attend(const AtenBatch& batch, const at::Tensor& q, size_t hop) const {
  const int64_t dim = config_.head_dim, kv_heads = config_.num_kv_heads, heads = config_.num_heads;
  const std::vector<int64_t> shape = {rows_, positions_, kv_heads, dim};
  const at::Tensor keys = keys_[hop].view(shape);
  const at::Tensor values = values_[hop].view(shape);
  at::Tensor out = at::empty({q.size(0), heads * dim}, options_);
  for (const AttentionGroup& group : batch.groups) {
    const at::Tensor queries =
        q.index_select(0, group.padded).view({group.segments, group.queries, heads, dim}).transpose(1, 2);
    const at::Tensor k = keys.narrow(1, 0, group.keys).index_select(0, group.rows).transpose(1, 2);
    const at::Tensor v = values.narrow(1, 0, group.keys).index_select(0, group.rows).transpose(1, 2);
    const at::Tensor mixed = at::scaled_dot_product_attention(queries, k, v, group.mask, 0.0, false, std::nullopt,
                                                              /*enable_gqa=*/heads != kv_heads);
    const at::Tensor flat = mixed.transpose(1, 2).reshape({group.segments * group.queries, heads * dim});
    out.index_copy_(0, group.tokens, flat.index_select(0, group.kept));
  }
  return out;
}

at::Tensor AtenEngine::RunMlp(const DeviceLayer& layer, const at::Tensor& hidden) const {
  const int64_t width = config_.intermediate_size;
  const at::Tensor gate_up = layer.gate_up(Norm(hidden, layer.post_norm));
  return layer.down(at::silu(gate_up.narrow(1, 0, width)) * gate_up.narrow(1, width, width));
}

at::Tensor AtenEngine::RunLayers(const AtenBatch& batch) {
  const int64_t dim = config_.head_dim, heads = config_.num_heads, kv_heads = config_.num_kv_heads;
  at::Tensor hidden = embedding_.value().index_select(0, batch.ids);
  const int64_t tokens = hidden.size(0);
  for (size_t i = 0; i < path_.size(); ++i) {
    const PathStep& step = path_[i];
    const DeviceLayer& layer = layers_[static_cast<size_t>(step.layer)];
    if (step.state != 1.0f) hidden = hidden * step.state;
    const at::Tensor qkv = layer.qkv(Norm(hidden, layer.input_norm)).view({tokens, heads + 2 * kv_heads, dim});
    const at::Tensor rotated = Rotate(qkv.narrow(1, 0, heads + kv_heads), batch);
    const at::Tensor k = rotated.narrow(1, heads, kv_heads), v = qkv.narrow(1, heads + kv_heads, kv_heads);
    keys_[i].index_copy_(0, batch.slots, k.reshape({tokens, kv_heads * dim}));
    values_[i].index_copy_(0, batch.slots, v.reshape({tokens, kv_heads * dim}));
    hidden = hidden + layer.o(Attend(batch, rotated.narrow(1, 0, heads), i));
    const at::Tensor added = RunMlp(layer, hidden);
    hidden = hidden + (step.mlp == 1.0f ? added : added * step.mlp);
  }
  return hidden;
}

at::Tensor AtenEngine::RunHead(const at::Tensor& hidden) const {
  const at::Tensor& weight = tied_ ? embedding_.value() : head_->value();
  return at::linear(Norm(hidden, norm_), weight).to(at::kFloat);
}

absl::Status AtenEngine::Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits) {
  return Guarded(device_, [&] {
    const AtenBatch batch = MakeAtenBatch(config_, *rope_, segments, positions_, options_);
    const at::Tensor hidden = RunLayers(batch);
    if (logits != nullptr) {
      const at::Tensor all = RunHead(hidden);
      at::from_blob(logits, all.sizes(), at::kFloat).copy_(all);
    }
    const at::Tensor last = RunHead(hidden.index_select(0, batch.last));
    const auto [largest, tokens] = last.max(1);
    const at::Tensor best = largest.to(at::kCPU), token = tokens.to(at::kCPU);
    const at::Tensor finite = at::isfinite(last).all(1).to(at::kCPU);
    for (size_t i = 0; i < next.size(); ++i) {
      next[i] = NextToken{static_cast<int32_t>(token.const_data_ptr<int64_t>()[i]), best.const_data_ptr<float>()[i],
                          finite.const_data_ptr<bool>()[i]};
    }
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Engine>> MakeAtenEngine(const ModelConfig& config, const DecoderWeights& weights,
                                                       const Device& device, DType compute) {
  std::unique_ptr<Engine> engine;
  const absl::Status status = Guarded(device, [&] {
    at::set_num_threads(device.threads);
    engine = std::make_unique<AtenEngine>(config, weights, device, compute);
  });
  if (!status.ok()) return status;
  return engine;
}

}  // namespace heterosis
