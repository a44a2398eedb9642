// SPDX-License-Identifier: Apache-2.0
// Writes a Hugging Face model folder: weights (one file, or shards and their index), config.json, the tokenizer's files
// and a model card.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/json.h"
#include "worker/checkpoint/model_config.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

struct CheckpointOutput {
  std::string folder;                    // must not exist, or be empty
  std::string tokenizer_folder;          // a model folder: its tokenizer files and generation_config.json are copied
  Json config;                           // config.json
  std::vector<std::string> base_models;  // for the model card
  std::string description;               // Markdown in the model card: how it was made
  std::map<std::string, std::string> extra_files;  // name -> content, for example the recipe
  int64_t shard_bytes = 5'000'000'000;             // of tensors, at most, in one file (a larger tensor has its own)
};

// Whether `folder` may be written: it does not exist, or is an empty folder. For a check before the work.
absl::Status CheckOutputFolder(const std::string& folder);

// Atomic: everything is written to a temporary folder beside `output.folder`, which is then renamed. A folder that is
// not empty is refused before anything is written.
absl::Status WriteCheckpoint(const CheckpointOutput& output, std::span<const ConstTensor> tensors);

// The configuration of a merged model: the tokenizer model's, with its raw JSON brought in line (in the spelling that
// the file has). The head is tied only if it is tied in all of `sources`: an untied head cannot be expressed by an
// embedding.
ModelConfig OutputConfig(const ModelConfig& tokenizer_model, std::span<const ModelConfig* const> sources,
                         DType out_dtype);

}  // namespace heterosis
