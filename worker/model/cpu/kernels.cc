// SPDX-License-Identifier: Apache-2.0
// Chooses the kernels for this CPU.
#include "worker/model/cpu/kernels.h"

namespace heterosis::cpu {

const Kernels& BestKernels(bool bf16) {
  if (const Kernels* kernels = KernelsAvx512(bf16)) return *kernels;
  if (const Kernels* kernels = KernelsAvx2(bf16)) return *kernels;
  return *KernelsPortable(bf16);
}

}  // namespace heterosis::cpu
