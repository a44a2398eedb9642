// SPDX-License-Identifier: Apache-2.0
// The variants of the kernels that are compiled in.
#pragma once

#include "worker/merge/kernels.h"

namespace heterosis {

const Kernels& KernelsBaseline();
#if defined(__x86_64__)
const Kernels& KernelsV3();  // AVX2, FMA
const Kernels& KernelsV4();  // AVX-512
#endif

}  // namespace heterosis
