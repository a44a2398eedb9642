// SPDX-License-Identifier: Apache-2.0
// Implements checkpoint_writer.h.
#include "worker/checkpoint/checkpoint_writer.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status.h"
#include "worker/checkpoint/safetensors.h"

namespace heterosis {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCopiedFiles[] = {
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json",     "merges.txt",      "chat_template.jinja",   "chat_template.json",      "generation_config.json"};

int64_t Bytes(const ConstTensor& tensor) {
  return ElementCount(tensor.shape) * static_cast<int64_t>(SizeBytes(tensor.dtype));
}

absl::Status FromErrorCode(const std::error_code& error, const std::string& what) {
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), what);
}

absl::Status WriteWeights(const std::string& folder, std::span<const ConstTensor> tensors, int64_t shard_bytes) {
  std::vector<std::span<const ConstTensor>> shards;
  int64_t total = 0;
  int64_t open_bytes = 0;
  size_t begin = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t bytes = Bytes(tensors[i]);
    if (i > begin && open_bytes + bytes > shard_bytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      open_bytes = 0;
    }
    open_bytes += bytes;
    total += bytes;
  }
  shards.push_back(tensors.subspan(begin));
  if (shards.size() == 1) return WriteSafetensors(folder + "/model.safetensors", shards.front());

  Json map = Json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    RETURN_IF_ERROR(WriteSafetensors(folder + "/" + name, shards[i]));
    for (const ConstTensor& tensor : shards[i]) map[tensor.name] = name;
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}};
  return WriteFileAtomic(folder + "/model.safetensors.index.json", JsonText(index, 2) + "\n");
}

absl::Status CopyTokenizer(const std::string& from, const std::string& to) {
  for (const char* name : kCopiedFiles) {
    const std::string source = from + "/" + name;
    if (!FileExists(source)) continue;
    std::error_code error;
    fs::copy_file(source, to + "/" + name, error);
    RETURN_IF_ERROR(FromErrorCode(error, absl::StrCat(source, ": cannot copy to ", to)));
  }
  return absl::OkStatus();
}

std::string ModelCard(const CheckpointOutput& output) {
  std::string card = "---\n";
  if (!output.base_models.empty()) card += "base_model:\n";
  for (const std::string& name : output.base_models) absl::StrAppend(&card, "- ", JsonText(Json(name)), "\n");
  card += "library_name: transformers\npipeline_tag: text-generation\ntags:\n- merge\n- heterosis\n---\n";
  absl::StrAppend(&card, "# ", fs::path(output.folder).filename().string(),
                  "\n\nA merge of language models made by Heterosis");
  for (size_t i = 0; i < output.base_models.size(); ++i) {
    absl::StrAppend(&card, i == 0 ? " from " : ", ", output.base_models[i]);
  }
  card += ".\n";
  if (!output.description.empty()) absl::StrAppend(&card, "\n", output.description);
  return card;
}

absl::Status WriteAll(const CheckpointOutput& output, const std::string& folder, std::span<const ConstTensor> tensors) {
  RETURN_IF_ERROR(WriteWeights(folder, tensors, output.shard_bytes));
  RETURN_IF_ERROR(WriteFileAtomic(folder + "/config.json", JsonText(output.config, 2) + "\n"));
  RETURN_IF_ERROR(CopyTokenizer(output.tokenizer_folder, folder));
  for (const auto& [name, content] : output.extra_files) RETURN_IF_ERROR(WriteFileAtomic(folder + "/" + name, content));
  return WriteFileAtomic(folder + "/README.md", ModelCard(output));
}

}  // namespace

absl::Status CheckOutputFolder(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return absl::OkStatus();
  if (!fs::is_directory(folder, error))
    return absl::AlreadyExistsError(absl::StrCat(folder, ": exists and is no folder"));
  if (fs::is_empty(folder, error)) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(folder, ": is not empty, and nothing is overwritten; remove it or choose another folder"));
}

absl::Status WriteCheckpoint(const CheckpointOutput& request, std::span<const ConstTensor> tensors) {
  CheckpointOutput output = request;
  while (output.folder.size() > 1 && output.folder.ends_with('/')) output.folder.pop_back();
  RETURN_IF_ERROR(CheckOutputFolder(output.folder));
  const std::string temporary = absl::StrCat(output.folder, ".tmp.", getpid());
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  RETURN_IF_ERROR(FromErrorCode(error, absl::StrCat(temporary, ": cannot create")));
  absl::Status status = WriteAll(output, temporary, tensors);
  if (status.ok()) {
    fs::rename(temporary, output.folder, error);
    status = FromErrorCode(error, absl::StrCat(output.folder, ": cannot be put in place"));
  }
  if (!status.ok()) fs::remove_all(temporary, error);
  return status;
}

ModelConfig OutputConfig(const ModelConfig& tokenizer_model, std::span<const ModelConfig* const> sources,
                         DType out_dtype) {
  ModelConfig config = tokenizer_model;
  config.dtype = out_dtype;
  config.tie_word_embeddings = std::all_of(sources.begin(), sources.end(),
                                           [](const ModelConfig* source) { return source->tie_word_embeddings; });
  const bool has_old = JsonFind(config.raw, "torch_dtype") != nullptr;
  if (has_old) config.raw["torch_dtype"] = Name(out_dtype);
  if (!has_old || JsonFind(config.raw, "dtype") != nullptr) config.raw["dtype"] = Name(out_dtype);
  config.raw["vocab_size"] = config.vocab_size;
  if (config.tie_word_embeddings != tokenizer_model.tie_word_embeddings) {
    config.raw["tie_word_embeddings"] = config.tie_word_embeddings;
  }
  return config;
}

}  // namespace heterosis
