// SPDX-License-Identifier: Apache-2.0
// The kernels for CPUs of level x86-64-v4; CMakeLists.txt gives the compiler flags.
#include "worker/merge/kernels_impl.h"
#include "worker/merge/kernels_variants.h"

namespace heterosis {

const Kernels& KernelsV4() {
  static constexpr Kernels kKernels = MakeKernels("x86-64-v4");
  return kKernels;
}

}  // namespace heterosis
