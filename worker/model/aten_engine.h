// SPDX-License-Identifier: Apache-2.0
// The decoder through ATen operators, for a GPU (and on a CPU as the reference for that path).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "worker/device/device.h"
#include "worker/model/engine.h"
#include "worker/model/weights.h"

namespace heterosis {

// `weights` (ExpectedTensors of the configuration, in host memory) are borrowed; the device gets a copy in `compute`.
absl::StatusOr<std::unique_ptr<Engine>> MakeAtenEngine(const ModelConfig& config, const DecoderWeights& weights,
                                                       const Device& device, DType compute);

}  // namespace heterosis
