// SPDX-License-Identifier: Apache-2.0
// The path of a data-flow model in its config.json: `heterosis_path` (the stored layer of each hop),
// `heterosis_scales`, `heterosis_scale_applies_to` and `heterosis_architecture`; `num_hidden_layers` counts the hops,
// as caches need it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "common/genome/recipe.h"

namespace heterosis {

// One step of a path: a layer of the model, and what is multiplied there (ScaleTarget).
struct PathHop {
  int layer = 0;
  float scale = 1;
  bool operator==(const PathHop&) const = default;
};

struct PathConfig {
  std::vector<PathHop> hops;  // empty: each layer once, in order
  ScaleTarget scale_applies_to = ScaleTarget::kStream;

  bool has_scales() const;
  bool operator==(const PathConfig&) const = default;
};

// The name that such a config.json has under `architectures`, and the key of the one that the layers are of.
inline constexpr char kPathArchitecture[] = "HeterosisForCausalLM";
inline constexpr char kLayerArchitectureKey[] = "heterosis_architecture";

// Reads the keys; `hops` is the file's num_hidden_layers. Every stored layer, from 0 to the highest, must be on the
// path. Without the keys: no hops.
absl::StatusOr<PathConfig> ReadPathConfig(const Json& json, int64_t hops);

// Turns the raw config.json of a decoder into that of a plain model of `hops` layers.
void WritePlainDepth(int64_t hops, Json& config);

// Turns it into that of a data-flow model, for kModelingFile; `architecture`: of the layers.
void WritePathConfig(const PathConfig& path, const std::string& architecture, Json& config);

// The Python file that lets transformers run such a folder (trust_remote_code=True): its name and its text.
inline constexpr char kModelingFile[] = "modeling_heterosis.py";
std::string ModelingText(const std::string& architecture);

}  // namespace heterosis
