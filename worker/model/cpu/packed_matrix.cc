// SPDX-License-Identifier: Apache-2.0
// Implements packed_matrix.h.
#include "worker/model/cpu/packed_matrix.h"

#include <algorithm>

#include "common/base/status.h"
#include "worker/model/cpu/kernels.h"

namespace heterosis::cpu {
namespace {

constexpr int64_t kBlock = 64;  // depth that is transposed at a time: 8 KiB of floats

}  // namespace

absl::Status PackedMatrix::Plan(std::vector<LinearWeights> parts, bool bf16) {
  parts_ = std::move(parts);
  bf16_ = bf16;
  depth_ = parts_[0].weight->shape[1];
  packed_depth_ = bf16 ? RoundUp(depth_, 2) : depth_;
  columns_ = 0;
  for (const LinearWeights& part : parts_) columns_ += part.weight->shape[0];
  panels_ = RoundUp(columns_, kPanel) / kPanel;
  const size_t bytes = static_cast<size_t>(panels_ * kPanel * packed_depth_) * (bf16 ? 2 : 4);
  ASSIGN_OR_RETURN(data_, HostBuffer::Allocate(bytes, HostBuffer::Pages::kHuge));
  if (parts_[0].bias != nullptr) bias_.assign(static_cast<size_t>(panels_ * kPanel), 0.0f);
  return absl::OkStatus();
}

void PackedMatrix::ReadRow(int64_t row, int64_t begin, std::span<float> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  for (const LinearWeights& part : parts_) {
    const int64_t rows = part.weight->shape[0];
    if (row < rows) {
      const size_t count = static_cast<size_t>(std::min<int64_t>(static_cast<int64_t>(out.size()), depth_ - begin));
      ReadFloats(*part.weight, row * depth_ + begin, out.first(count));
      return;
    }
    row -= rows;
  }
}

void PackedMatrix::PackBlock(int64_t panel, int64_t begin, int64_t count, float* scratch) {
  for (int64_t column = 0; column < kPanel; ++column) {
    ReadRow(panel * kPanel + column, begin, std::span<float>(scratch + column * kBlock, static_cast<size_t>(count)));
  }
  const int64_t start = (panel * packed_depth_ + begin) * kPanel;
  if (!bf16_) {
    float* out = reinterpret_cast<float*>(data_.data()) + start;
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t column = 0; column < kPanel; ++column) out[k * kPanel + column] = scratch[column * kBlock + k];
    }
    return;
  }
  uint16_t halves[kPanel * kBlock];
  for (int64_t i = 0; i < kPanel * kBlock; ++i) halves[i] = FloatToBf16(scratch[i]);
  uint32_t* out = reinterpret_cast<uint32_t*>(data_.data()) + start / 2;
  for (int64_t k = 0; k < count; k += 2) {
    for (int64_t column = 0; column < kPanel; ++column) {
      const uint32_t low = halves[column * kBlock + k], high = halves[column * kBlock + k + 1];
      out[k / 2 * kPanel + column] = low | high << 16;
    }
  }
}

void PackedMatrix::PackBias(int64_t panel) {
  const int64_t end = (panel + 1) * kPanel;
  int64_t first = 0;
  for (const LinearWeights& part : parts_) {
    const int64_t last = first + part.weight->shape[0];
    const int64_t from = std::max(first, panel * kPanel), to = std::min(last, end);
    if (from < to) {
      const std::span<float> out(bias_.data() + from, static_cast<size_t>(to - from));
      ReadFloats(*part.bias, from - first, out);
      if (bf16_) {
        for (float& value : out) value = Bf16ToFloat(FloatToBf16(value));
      }
    }
    first = last;
  }
}

void PackedMatrix::Pack(int64_t begin, int64_t end) {
  float scratch[kPanel * kBlock] = {};
  for (int64_t panel = begin; panel < end; ++panel) {
    for (int64_t k = 0; k < packed_depth_; k += kBlock) {
      PackBlock(panel, k, std::min(kBlock, packed_depth_ - k), scratch);
    }
    if (!bias_.empty()) PackBias(panel);
  }
}

}  // namespace heterosis::cpu
