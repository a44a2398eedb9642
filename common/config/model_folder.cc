// SPDX-License-Identifier: Apache-2.0
// Implements model_folder.h.
#include "common/config/model_folder.h"

#include <array>
#include <vector>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int64_t kLayersMax = 10'000;
constexpr std::array kSharedSizes = {"hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
                                     "head_dim"};

absl::Status CheckWeights(const std::string& folder) {
  bool pickle = false;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  for (const std::string& name : names) {
    if (name.ends_with(".safetensors")) return absl::OkStatus();
    pickle = pickle || name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth");
  }
  return absl::NotFoundError(
      absl::StrCat(folder, ": has no *.safetensors file",
                   pickle ? "; convert its pickle checkpoint to safetensors (save_pretrained)" : ""));
}

}  // namespace

absl::StatusOr<ModelShape> ReadModelShape(const std::string& folder) {
  if (!IsDirectory(folder)) return absl::NotFoundError(absl::StrCat(folder, ": is not a folder"));
  const std::string path = folder + "/config.json";
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(folder, ": has no config.json; it must be a Hugging Face model's folder"));
  }
  ASSIGN_OR_RETURN(const Json config, ReadJsonFile(path));
  if (JsonFind(config, "heterosis_path") != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": is a path through layers that Heterosis wrote, which cannot be merged again; name its own "
                     "source models instead"));
  }
  const absl::StatusOr<int64_t> layers = JsonInt(config, "num_hidden_layers");
  if (!layers.ok()) return Annotate(layers.status(), path);
  if (*layers < 1 || *layers > kLayersMax) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": num_hidden_layers is ", *layers));
  }
  RETURN_IF_ERROR(CheckWeights(folder));
  ModelShape shape{.layers = static_cast<int>(*layers), .sizes = {}};
  for (const char* key : kSharedSizes) {
    if (const absl::StatusOr<int64_t> size = JsonInt(config, key); size.ok()) shape.sizes[key] = *size;
  }
  return shape;
}

std::string ShapeDifference(const ModelShape& shape, const std::string& path, const ModelShape& other,
                            const std::string& other_path) {
  for (const auto& [key, size] : shape.sizes) {
    const auto found = other.sizes.find(key);
    if (found == other.sizes.end() || found->second == size) continue;
    return absl::StrCat(key, " of ", path, " is ", size, ", but that of ", other_path, " is ", found->second,
                        "; only models of one shape can be merged");
  }
  return "";
}

}  // namespace heterosis
