// SPDX-License-Identifier: Apache-2.0
// Implements checkpoint.h.
#include "worker/checkpoint/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "common/base/json.h"
#include "common/base/status.h"
#include "worker/checkpoint/safetensors.h"

namespace heterosis {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr size_t kIndexBytesMax = size_t{100} << 20;
constexpr size_t kShardsMax = 100'000;

// Why a folder has no weights that we read, and what to do.
absl::Status NoWeights(const std::string& folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(folder));
  for (const std::string& name : names) {
    const std::string extension = std::filesystem::path(name).extension();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt") {
      return absl::FailedPreconditionError(absl::StrCat(
          folder, ": holds pickled weights (", name,
          "), which can run code when loaded and are not read; convert the model to safetensors first, with "
          "transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(new_folder)"));
    }
  }
  return absl::NotFoundError(absl::StrCat(folder, ": neither ", kSingleFile, " nor ", kIndexFile, " is there"));
}

// A file name in the folder itself: an index must not lead out of it.
bool IsPlainFileName(const std::string& name) {
  return name.find('/') == std::string::npos && name.find('\0') == std::string::npos && name.ends_with(".safetensors");
}

// Tensor name -> file name, from the index.
absl::StatusOr<std::unordered_map<std::string, std::string>> ReadIndex(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kIndexBytesMax));
  absl::StatusOr<Json> json = ParseJson(text, {.depth_max = 8, .values_max = 2'000'000});
  if (!json.ok()) return Annotate(json.status(), path);
  const Json* map = JsonFind(*json, "weight_map");
  if (map == nullptr || !map->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": \"weight_map\" is missing or no object"));
  }
  std::unordered_map<std::string, std::string> files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !IsPlainFileName(file.get<std::string>())) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": \"weight_map\" gives ", tensor, " the file ",
                                                     JsonText(file),
                                                     "; it must be the name of a .safetensors file in this folder"));
    }
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) absl::StrAppend(&text, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

absl::StatusOr<ConstTensor> Check(const TensorSpec& spec, const SafetensorsEntry& entry) {
  if (entry.shape != spec.shape) {
    return absl::InvalidArgumentError(absl::StrCat(spec.name, " has shape ", ShapeText(entry.shape),
                                                   ", but config.json asks for ", ShapeText(spec.shape)));
  }
  return WeightOf(entry);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Checkpoint>> Checkpoint::Open(const std::string& folder) {
  if (!IsDirectory(folder)) return absl::NotFoundError(absl::StrCat(folder, ": no such model folder"));
  std::shared_ptr<Checkpoint> checkpoint(new Checkpoint);
  checkpoint->folder_ = folder;
  ASSIGN_OR_RETURN(checkpoint->config_, ReadModelConfig(folder));
  const std::vector<TensorSpec> specs = ExpectedTensors(checkpoint->config_);

  const bool is_single = FileExists(folder + "/" + kSingleFile);
  const std::string index_path = folder + "/" + kIndexFile;
  if (!is_single && !FileExists(index_path)) return NoWeights(folder);
  std::unordered_map<std::string, std::string> file_of;
  if (!is_single) {
    ASSIGN_OR_RETURN(file_of, ReadIndex(index_path));
  }
  std::set<std::string> names;
  for (const TensorSpec& spec : specs) {
    if (!is_single && !file_of.contains(spec.name)) {
      return absl::NotFoundError(absl::StrCat(index_path, ": \"weight_map\" has no ", spec.name));
    }
    names.insert(is_single ? kSingleFile : file_of.at(spec.name));
  }
  if (names.size() > kShardsMax) return absl::InvalidArgumentError(absl::StrCat(index_path, ": too many files"));

  std::unordered_map<std::string, std::unordered_map<std::string, SafetensorsEntry>> entries;
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    if (!FileExists(path)) {
      return absl::NotFoundError(
          absl::StrCat(path, ": is named by ", kIndexFile, " but missing; download the model again"));
    }
    ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
    ASSIGN_OR_RETURN(std::vector<SafetensorsEntry> parsed, ParseSafetensors(file.bytes(), path));
    checkpoint->files_.push_back(std::move(file));
    for (SafetensorsEntry& entry : parsed) entries[name].emplace(entry.name, std::move(entry));
  }
  for (const TensorSpec& spec : specs) {
    const std::string name = is_single ? kSingleFile : file_of.at(spec.name);
    const std::string path = folder + "/" + name;
    const auto entry = entries[name].find(spec.name);
    if (entry == entries[name].end()) {
      return absl::NotFoundError(
          absl::StrCat(path, ": the tensor ", spec.name, ", which config.json asks for, is missing"));
    }
    absl::StatusOr<ConstTensor> tensor = Check(spec, entry->second);
    if (!tensor.ok()) return Annotate(tensor.status(), path);
    checkpoint->by_name_.emplace(spec.name, checkpoint->tensors_.size());
    checkpoint->tensors_.push_back(*std::move(tensor));
  }
  return checkpoint;
}

const ConstTensor* Checkpoint::Find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace heterosis
