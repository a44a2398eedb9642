// SPDX-License-Identifier: Apache-2.0
// The decoder on a CPU, in f32 or bf16, with kernels of our own: no framework, no overhead per operation, and the same
// bits for a token whatever the batch and the number of threads.
#pragma once

#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "worker/model/cpu/kernels.h"
#include "worker/model/engine.h"
#include "worker/model/weights.h"

namespace heterosis::cpu {

// `weights` (ExpectedTensors of the configuration) are borrowed. Memory: a packed copy of them in the compute type.
// `kernels` must be for that type.
absl::StatusOr<std::unique_ptr<Engine>> MakeCpuEngine(const ModelConfig& config, const DecoderWeights& weights,
                                                      bool bf16, int threads, const Kernels& kernels);

}  // namespace heterosis::cpu
