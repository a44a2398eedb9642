// SPDX-License-Identifier: Apache-2.0
// One or more matrices with the same input, packed one after the other in the panels of kernels.h.
#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "worker/device/host_buffer.h"
#include "worker/model/weights.h"

namespace heterosis::cpu {

// Thread-compatible; different panels may be packed by different threads at once.
class PackedMatrix {
 public:
  // Borrows the tensors, [rows][depth] each; biases are all there or none.
  absl::Status Plan(std::vector<LinearWeights> parts, bool bf16);
  // Copies the columns of the panels [begin, end), weights and biases, from the tensors.
  void Pack(int64_t begin, int64_t end);

  const void* data() const { return data_.data(); }
  const float* bias() const { return bias_.empty() ? nullptr : bias_.data(); }
  int64_t depth() const { return packed_depth_; }
  int64_t panels() const { return panels_; }
  size_t bytes() const { return data_.bytes(); }

 private:
  // Elements [begin, begin + out.size()) of a row of the stacked parts; zeros beyond the last row.
  void ReadRow(int64_t row, int64_t begin, std::span<float> out) const;
  void PackBlock(int64_t panel, int64_t begin, int64_t count, float* scratch);
  void PackBias(int64_t panel);

  std::vector<LinearWeights> parts_;
  bool bf16_ = false;
  int64_t depth_ = 0;
  int64_t packed_depth_ = 0;  // even for bf16
  int64_t columns_ = 0;
  int64_t panels_ = 0;
  HostBuffer data_;
  std::vector<float> bias_;
};

}  // namespace heterosis::cpu
