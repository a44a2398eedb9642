// SPDX-License-Identifier: Apache-2.0
// The KV cache on a CPU: [row][block of 16 positions][layer][kv head]{keys [head_dim][16], values [16][value_stride]}.
// A row's memory becomes real block by block, so that short sequences in roomy rows cost only what they use.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "common/base/status.h"
#include "worker/checkpoint/model_config.h"
#include "worker/device/host_buffer.h"
#include "worker/model/cpu/kernels.h"

namespace heterosis::cpu {

class Cache {
 public:
  Cache(const ModelConfig& config, bool bf16)
      : layer_bytes_(config.num_kv_heads * kCachePositions * (config.head_dim + ValueStride(config.head_dim)) *
                     (bf16 ? 2 : 4)),
        block_bytes_(layer_bytes_ * config.num_layers) {}

  int64_t RowBytes(int64_t positions) const {
    return RoundUp(positions, kCachePositions) / kCachePositions * block_bytes_;
  }

  // Keeps the memory when it is already large enough.
  absl::Status Reserve(int rows, int64_t positions) {
    row_bytes_ = RowBytes(positions);
    const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(row_bytes_);
    if (bytes <= memory_.bytes()) return absl::OkStatus();
    memory_ = HostBuffer();
    ASSIGN_OR_RETURN(memory_, HostBuffer::Allocate(bytes, HostBuffer::Pages::kOrdinary));
    return absl::OkStatus();
  }

  size_t bytes() const { return memory_.bytes(); }

  // The first block of a row, for one layer.
  std::byte* At(int row, int64_t layer) const { return memory_.data() + row * row_bytes_ + layer * layer_bytes_; }
  // From block to block of a row.
  int64_t block_bytes() const { return block_bytes_; }

 private:
  int64_t layer_bytes_;
  int64_t block_bytes_;
  int64_t row_bytes_ = 0;
  HostBuffer memory_;
};

}  // namespace heterosis::cpu
