// SPDX-License-Identifier: Apache-2.0
// The kernels for AVX-512 with bf16 products; CMakeLists.txt gives this file its instructions.
#include "worker/model/cpu/kernels_impl.h"

namespace heterosis::cpu {

const Kernels* KernelsAvx512(bool bf16) {
#if defined(__AVX512F__)
  static const Kernels kFloat = MakeKernels<float>("avx512 f32");
  static const Kernels kBf16 = MakeKernels<uint16_t>("avx512 bf16");
  const bool supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
  return !supported ? nullptr : bf16 ? &kBf16 : &kFloat;
#else
  static_cast<void>(bf16);
  return nullptr;
#endif
}

}  // namespace heterosis::cpu
