// SPDX-License-Identifier: Apache-2.0
// A decoder model whose weights can be overwritten in place: fixed buffers that a merge writes into, an engine that
// computes with them, and a KV cache.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/checkpoint/model_config.h"
#include "worker/device/device.h"
#include "worker/model/engine.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {

struct ModelOptions {
  DType stored = DType::kFloat32;   // of the weight buffers
  DType compute = DType::kFloat32;  // of decoding: float32 or bfloat16; on a GPU also float16
  bool generic = false;             // ATen also on the CPU: slower, the reference for the GPU's path
};

// Thread-compatible. After the first candidate nothing is allocated any more.
class Model {
 public:
  // InvalidArgument for a compute type that the device lacks, ResourceExhausted without the memory.
  static absl::StatusOr<std::unique_ptr<Model>> Create(const ModelConfig& config, const Device& device,
                                                       const ModelOptions& options);

  const ModelConfig& config() const { return config_; }
  const Device& device() const { return device_; }

  // The weights, in the order of ExpectedTensors(config()): write, then call WeightsChanged. Zeros at first.
  std::span<const MutableTensor> slots() const { return weights_.tensors(); }
  // Copies a checkpoint of the same tensors into the slots (converting the dtype) and calls WeightsChanged.
  absl::Status LoadFrom(const Checkpoint& checkpoint);
  // Makes the engine compute with what the slots hold now. Nothing derived from earlier weights survives but the cache.
  absl::Status WeightsChanged() { return engine_->WeightsChanged(); }

  // The way through the layers, from now on; at first that of the configuration. Costs nothing but the cache's
  // contents: ReserveCache comes next. INVALID_ARGUMENT: see CheckPath.
  absl::Status SetPath(const PathConfig& path);
  // How many layers a token passes.
  int64_t hops() const { return hops_; }

  // Sequences may grow to this length: the configuration's limit, times the factor where RoPE scaling is dynamic.
  int64_t positions_max() const { return positions_max_; }
  size_t CacheBytesPerRow(int64_t positions) const { return engine_->CacheBytesPerRow(positions); }
  absl::Status ReserveCache(int rows, int64_t positions);
  // Memory that the cache holds already: a later ReserveCache within it takes none.
  size_t CacheBytes() const { return engine_->CacheBytes(); }
  // See Engine. InvalidArgument for tokens outside the vocabulary or beyond what is reserved.
  absl::Status Forward(std::span<const Segment> segments, std::span<NextToken> next, float* logits = nullptr);

  // The logits after each token of one sequence, [tokens][vocab_size]; reserves the cache anew.
  absl::StatusOr<std::vector<float>> Logits(std::span<const int32_t> tokens);

 private:
  Model(const ModelConfig& config, const Device& device) : config_(config), device_(device) {}

  absl::Status CheckSegments(std::span<const Segment> segments) const;

  ModelConfig config_;
  Device device_;
  WeightBuffers weights_;
  std::unique_ptr<Engine> engine_;
  int64_t hops_ = 0;
  int64_t positions_max_ = 0;
  int rows_ = 0;
  int64_t positions_ = 0;
};

}  // namespace heterosis
