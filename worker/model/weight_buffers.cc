// SPDX-License-Identifier: Apache-2.0
// Implements weight_buffers.h.
#include "worker/model/weight_buffers.h"

#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr size_t kAlignment = 64;

size_t AlignedBytes(const TensorSpec& spec, DType dtype) {
  const size_t bytes = static_cast<size_t>(ElementCount(spec.shape)) * SizeBytes(dtype);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

absl::StatusOr<WeightBuffers> WeightBuffers::Allocate(std::span<const TensorSpec> specs, DType dtype) {
  WeightBuffers buffers;
  size_t bytes = 0;
  for (const TensorSpec& spec : specs) bytes += AlignedBytes(spec, dtype);
  ASSIGN_OR_RETURN(buffers.memory_, HostBuffer::Allocate(bytes, HostBuffer::Pages::kHuge));
  std::byte* at = buffers.memory_.data();
  for (const TensorSpec& spec : specs) {
    buffers.tensors_.push_back({spec.name, spec.shape, dtype, at});
    at += AlignedBytes(spec, dtype);
  }
  return buffers;
}

}  // namespace heterosis
