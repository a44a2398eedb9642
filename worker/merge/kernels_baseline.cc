// SPDX-License-Identifier: Apache-2.0
// The kernels for any CPU of the architecture.
#include "worker/merge/kernels_impl.h"
#include "worker/merge/kernels_variants.h"

namespace heterosis {

const Kernels& KernelsBaseline() {
  static constexpr Kernels kKernels = MakeKernels("baseline");
  return kKernels;
}

}  // namespace heterosis
