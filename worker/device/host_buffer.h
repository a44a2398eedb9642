// SPDX-License-Identifier: Apache-2.0
// Large zeroed pieces of host memory that become real page by page as they are touched.
#pragma once

#include <cstddef>
#include <utility>

#include "absl/status/statusor.h"

namespace heterosis {

// Move-only owner. Page-aligned, zero-filled.
class HostBuffer {
 public:
  enum class Pages { kOrdinary, kHuge };  // huge: for what is used whole, such as weights

  HostBuffer() = default;
  // ResourceExhausted when the system refuses.
  static absl::StatusOr<HostBuffer> Allocate(size_t bytes, Pages pages);
  ~HostBuffer();
  HostBuffer(HostBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  HostBuffer& operator=(HostBuffer&& other) noexcept;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace heterosis
