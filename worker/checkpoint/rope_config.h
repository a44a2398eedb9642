// SPDX-License-Identifier: Apache-2.0
// Reads the rotary embedding's part of config.json: `rope_parameters` (transformers 5), or `rope_theta` and
// `rope_scaling` (transformers 4).
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "worker/checkpoint/model_config.h"

namespace heterosis {

// `max_positions` is the model's. Errors name the key; "longrope" and unknown kinds are errors.
absl::StatusOr<RopeConfig> ReadRopeConfig(const Json& config, int64_t max_positions);

}  // namespace heterosis
