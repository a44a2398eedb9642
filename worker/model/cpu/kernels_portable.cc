// SPDX-License-Identifier: Apache-2.0
// The kernels for any CPU; CMakeLists.txt gives this file its instructions.
#include "worker/model/cpu/kernels_impl.h"

namespace heterosis::cpu {

const Kernels* KernelsPortable(bool bf16) {
  static const Kernels kFloat = MakeKernels<float>("portable f32");
  static const Kernels kBf16 = MakeKernels<uint16_t>("portable bf16");
  return bf16 ? &kBf16 : &kFloat;
}

}  // namespace heterosis::cpu
