// SPDX-License-Identifier: Apache-2.0
// Implements the keys of path_config.h; the Python file is in modeling_file.cc.
#include "worker/checkpoint/path_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr char kPathKey[] = "heterosis_path";
constexpr char kScalesKey[] = "heterosis_scales";
constexpr char kTargetKey[] = "heterosis_scale_applies_to";

absl::StatusOr<const Json*> ListOf(const Json& json, const char* key, int64_t size) {
  const Json* list = JsonFind(json, key);
  if (list == nullptr || !list->is_array() || static_cast<int64_t>(list->size()) != size) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", key, "\" must be a list of ", size, " numbers, as \"num_hidden_layers\" says"));
  }
  return list;
}

absl::StatusOr<PathHop> HopOf(const Json& layer, const Json& scale, size_t hop, int64_t hops) {
  if (!layer.is_number_integer() || layer.get<int64_t>() < 0 || layer.get<int64_t>() >= hops) {
    return absl::InvalidArgumentError(absl::StrCat("\"", kPathKey, "\": hop ", hop, " must be the number of a layer"));
  }
  const double factor = scale.is_number() ? scale.get<double>() : std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(static_cast<float>(factor))) {
    return absl::InvalidArgumentError(absl::StrCat("\"", kScalesKey, "\": hop ", hop, " must be a finite number"));
  }
  return PathHop{layer.get<int>(), static_cast<float>(factor)};
}

}  // namespace

bool PathConfig::has_scales() const {
  return std::any_of(hops.begin(), hops.end(), [](const PathHop& hop) { return hop.scale != 1.0f; });
}

absl::StatusOr<PathConfig> ReadPathConfig(const Json& json, int64_t hops) {
  PathConfig path;
  if (JsonFind(json, kPathKey) == nullptr) return path;
  ASSIGN_OR_RETURN(const Json* layers, ListOf(json, kPathKey, hops));
  ASSIGN_OR_RETURN(const Json* scales, ListOf(json, kScalesKey, hops));
  ASSIGN_OR_RETURN(const std::string target, JsonString(json, kTargetKey));
  ASSIGN_OR_RETURN(path.scale_applies_to, ScaleTargetFromName(target));
  std::vector<bool> on_path(static_cast<size_t>(hops), false);
  int highest = 0;
  for (size_t i = 0; i < layers->size(); ++i) {
    ASSIGN_OR_RETURN(const PathHop hop, HopOf((*layers)[i], (*scales)[i], i, hops));
    on_path[static_cast<size_t>(hop.layer)] = true;
    highest = std::max(highest, hop.layer);
    path.hops.push_back(hop);
  }
  const auto unused = std::find(on_path.begin(), on_path.begin() + highest, false);
  if (unused != on_path.begin() + highest) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", kPathKey, "\" skips layer ", unused - on_path.begin(), " and names layer ", highest));
  }
  return path;
}

void WritePlainDepth(int64_t hops, Json& config) {
  config["num_hidden_layers"] = hops;
  config.erase("layer_types");  // of transformers, one a layer; what they say stands in sliding_window, too
}

void WritePathConfig(const PathConfig& path, const std::string& architecture, Json& config) {
  WritePlainDepth(static_cast<int64_t>(path.hops.size()), config);
  Json layers = Json::array(), scales = Json::array();
  for (const PathHop& hop : path.hops) {
    layers.push_back(hop.layer);
    scales.push_back(static_cast<double>(hop.scale));
  }
  config["architectures"] = Json::array({kPathArchitecture});
  config["model_type"] = "heterosis";  // one that transformers does not know: without our file it must not load
  config["auto_map"] = {{"AutoConfig", "modeling_heterosis.HeterosisConfig"},
                        {"AutoModelForCausalLM", absl::StrCat("modeling_heterosis.", kPathArchitecture)}};
  config[kLayerArchitectureKey] = architecture;
  config[kPathKey] = std::move(layers);
  config[kScalesKey] = std::move(scales);
  config[kTargetKey] = Name(path.scale_applies_to);
}

}  // namespace heterosis
