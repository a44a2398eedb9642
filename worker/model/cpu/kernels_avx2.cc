// SPDX-License-Identifier: Apache-2.0
// The kernels for AVX2 with FMA; CMakeLists.txt gives this file its instructions.
#include "worker/model/cpu/kernels_impl.h"

namespace heterosis::cpu {

const Kernels* KernelsAvx2(bool bf16) {
#if defined(__AVX2__)
  static const Kernels kFloat = MakeKernels<float>("avx2 f32");
  static const Kernels kBf16 = MakeKernels<uint16_t>("avx2 bf16");
  const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return !supported ? nullptr : bf16 ? &kBf16 : &kFloat;
#else
  static_cast<void>(bf16);
  return nullptr;
#endif
}

}  // namespace heterosis::cpu
