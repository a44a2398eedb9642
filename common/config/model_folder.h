// SPDX-License-Identifier: Apache-2.0
// What a config needs to know of a model's folder, without reading its weights.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// The number of decoder layers of the Hugging Face model in `folder` (num_hidden_layers of its config.json). An error
// also where the folder has no *.safetensors file; it names what is missing.
absl::StatusOr<int> LayersOfModel(const std::string& folder);

}  // namespace heterosis
