// SPDX-License-Identifier: Apache-2.0
// What a config needs to know of a model's folder, without reading its weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// The sizes in a model's config.json that all models of an experiment must share, and the number of layers, which only
// those of one merge must share. Sizes that the file leaves to a default are
// not in it. The vocabulary is not compared: its rows are matched by token.
struct ModelShape {
  int layers = 0;                        // num_hidden_layers
  std::map<std::string, int64_t> sizes;  // hidden_size and the like, by their key, without the number of layers
};

// The number of decoder layers of each model of a config, by its name.
using ModelLayers = std::map<std::string, int>;

// The shape of the Hugging Face model in `folder`. An error also where the folder has no *.safetensors file; it names
// what is missing.
absl::StatusOr<ModelShape> ReadModelShape(const std::string& folder);

// "hidden_size is 96, but ...": the first size in which `shape`, of the model at `path`, differs from that of another
// one; "" where they can be merged.
std::string ShapeDifference(const ModelShape& shape, const std::string& path, const ModelShape& other,
                            const std::string& other_path);

}  // namespace heterosis
