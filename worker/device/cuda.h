// SPDX-License-Identifier: Apache-2.0
// The part of libtorch for CUDA, loaded at run time: one program serves machines with and without a GPU.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"

namespace heterosis {

// Loads it (again is harmless) and gives the number of GPUs. NotFound with the reason where that is none.
absl::StatusOr<int> LoadCuda();

// After LoadCuda.
absl::StatusOr<size_t> CudaFreeBytes(int index);

}  // namespace heterosis
