// SPDX-License-Identifier: Apache-2.0
// Implements device.h.
#include "worker/device/device.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "worker/device/cuda.h"
#include "worker/device/memory.h"

namespace heterosis {

std::string Name(const Device& device) {
  return device.kind == Device::Kind::kCpu ? "cpu" : absl::StrCat("cuda:", device.index);
}

Device OpenCpu(int threads) {
  if (threads <= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    threads = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  }
  return Device{Device::Kind::kCpu, 0, threads};
}

absl::StatusOr<Device> OpenCuda(int index, int threads) {
  const absl::StatusOr<int> count = LoadCuda();
  if (!count.ok()) return count.status();
  if (index < 0 || index >= *count) {
    return absl::NotFoundError(
        absl::StrCat("there is no GPU ", index, ": libtorch sees ", *count, "; choose another --gpu, or --cpu"));
  }
  return Device{Device::Kind::kCuda, index, OpenCpu(threads).threads};
}

absl::StatusOr<size_t> AvailableMemoryBytes(const Device& device) {
  if (device.kind == Device::Kind::kCuda) return CudaFreeBytes(device.index);
  return AvailableHostBytes("/proc/meminfo", "/sys/fs/cgroup");
}

}  // namespace heterosis
