// SPDX-License-Identifier: Apache-2.0
// Implements host_buffer.h with mmap.
#include "worker/device/host_buffer.h"

#include <sys/mman.h>

#include "absl/strings/str_cat.h"

namespace heterosis {

absl::StatusOr<HostBuffer> HostBuffer::Allocate(size_t bytes, Pages pages) {
  HostBuffer buffer;
  if (bytes == 0) return buffer;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the system has no ", bytes >> 20, " MiB of memory for the model"));
  }
  if (pages == Pages::kHuge) madvise(memory, bytes, MADV_HUGEPAGE);  // a hint: may fail
  buffer.data_ = static_cast<std::byte*>(memory);
  buffer.bytes_ = bytes;
  return buffer;
}

HostBuffer::~HostBuffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

HostBuffer& HostBuffer::operator=(HostBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace heterosis
