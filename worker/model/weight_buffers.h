// SPDX-License-Identifier: Apache-2.0
// One allocation that holds all tensors of a model, for a merge to write into.
#pragma once

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/tensor.h"
#include "worker/device/host_buffer.h"

namespace heterosis {

// Move-only owner. Zeros at first; every tensor is aligned to 64 bytes.
class WeightBuffers {
 public:
  WeightBuffers() = default;
  // RESOURCE_EXHAUSTED without the memory.
  static absl::StatusOr<WeightBuffers> Allocate(std::span<const TensorSpec> specs, DType dtype);

  std::span<const MutableTensor> tensors() const { return tensors_; }

 private:
  HostBuffer memory_;
  std::vector<MutableTensor> tensors_;
};

}  // namespace heterosis
