// SPDX-License-Identifier: Apache-2.0
// The models that a worker may use: opened once, kept mapped, with their tokenizers.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/device/device.h"
#include "worker/evaluate/trial_runner.h"
#include "worker/model/model.h"
#include "worker/text/tokenizer.h"

namespace heterosis {

struct LoadedModel {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::shared_ptr<const Tokenizer> tokenizer;
};

// Opens the model folder and its tokenizer.
absl::StatusOr<LoadedModel> OpenModel(const std::string& folder);

// A model of the folder's dtype on the device, with its weights.
absl::StatusOr<std::unique_ptr<Model>> LoadForDecoding(const LoadedModel& loaded, const Device& device, DType compute);

// Thread-compatible.
class ModelLibrary {
 public:
  explicit ModelLibrary(ModelFolders folders) : folders_(std::move(folders)) {}

  // Opened at the first call. NOT_FOUND for a name that has no folder.
  absl::StatusOr<LoadedModel> Get(const std::string& name);

 private:
  const ModelFolders folders_;
  std::map<std::string, LoadedModel> loaded_;
};

}  // namespace heterosis
