// SPDX-License-Identifier: Apache-2.0
// Chooses among the variants of the kernels by what the CPU can do.
#include "worker/merge/kernels.h"

#include <algorithm>
#include <array>

#include "worker/merge/kernels_variants.h"

namespace heterosis {

std::span<const Kernels* const> RunnableKernels() {
#if defined(__x86_64__)
  static const std::array<const Kernels*, 3> kAll{&KernelsBaseline(), &KernelsV3(), &KernelsV4()};
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") &&
                  __builtin_cpu_supports("movbe") && __builtin_cpu_supports("f16c");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return std::span(kAll).first(v4 ? 3 : v3 ? 2 : 1);
#else
  static const std::array<const Kernels*, 1> kAll{&KernelsBaseline()};
  return kAll;
#endif
}

const Kernels& BestKernels() {
  return *RunnableKernels().back();
}

}  // namespace heterosis
