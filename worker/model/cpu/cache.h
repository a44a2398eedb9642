// SPDX-License-Identifier: Apache-2.0
// The KV cache on a CPU: [row][block of 16 positions][hop][kv head]{keys [head_dim][16], values [16][value_stride]}.
// A hop is one pass through a layer.
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
      : hop_bytes_(config.num_kv_heads * kCachePositions * (config.head_dim + ValueStride(config.head_dim)) *
                   (bf16 ? 2 : 4)) {}

  // Reserve comes next.
  void SetHops(int64_t hops) { block_bytes_ = hop_bytes_ * hops; }

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

  // The first block of a row, for one hop.
  std::byte* At(int row, int64_t hop) const { return memory_.data() + row * row_bytes_ + hop * hop_bytes_; }
  // From block to block of a row.
  int64_t block_bytes() const { return block_bytes_; }

 private:
  int64_t hop_bytes_;
  int64_t block_bytes_ = 0;
  int64_t row_bytes_ = 0;
  HostBuffer memory_;
};

}  // namespace heterosis::cpu
