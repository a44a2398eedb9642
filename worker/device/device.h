// SPDX-License-Identifier: Apache-2.0
// What a worker computes on: the CPU, or one CUDA GPU, whose part of libtorch is loaded only when asked for.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

struct Device {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  int index = 0;    // of the GPU
  int threads = 1;  // of the CPU part
};

// "cpu" or "cuda:1".
std::string Name(const Device& device);

// The CPU with `threads` threads, or with as many as this process may use when 0. Threads that wait for work sleep only
// with OMP_WAIT_POLICY=PASSIVE in the environment, which OpenMP reads when the program starts: set it wherever other
// processes share the cores.
Device OpenCpu(int threads);

// Loads libtorch_cuda.so from the folder of libtorch_cpu.so. NotFound, with the reason, where the library, the driver
// or the GPU is missing.
absl::StatusOr<Device> OpenCuda(int index, int threads);

// Bytes that a model may still take: free memory of the GPU; of the CPU what is available within the control group.
absl::StatusOr<size_t> AvailableMemoryBytes(const Device& device);

}  // namespace heterosis
