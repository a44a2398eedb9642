// SPDX-License-Identifier: Apache-2.0
// Implements model_library.h.
#include "worker/evaluate/model_library.h"

#include <utility>

#include "common/base/status.h"

namespace heterosis {

absl::StatusOr<LoadedModel> OpenModel(const std::string& folder) {
  LoadedModel model;
  ASSIGN_OR_RETURN(model.checkpoint, Checkpoint::Open(folder));
  ASSIGN_OR_RETURN(model.tokenizer, LoadTokenizer(folder));
  return model;
}

absl::StatusOr<std::unique_ptr<Model>> LoadForDecoding(const LoadedModel& loaded, const Device& device, DType compute) {
  const ModelConfig& config = loaded.checkpoint->config();
  ASSIGN_OR_RETURN(std::unique_ptr<Model> model,
                   Model::Create(config, device, {.stored = config.dtype, .compute = compute}));
  RETURN_IF_ERROR(model->LoadFrom(*loaded.checkpoint));
  return model;
}

absl::StatusOr<LoadedModel> ModelLibrary::Get(const std::string& name) {
  if (const auto found = loaded_.find(name); found != loaded_.end()) return found->second;
  const auto folder = folders_.find(name);
  if (folder == folders_.end()) {
    return absl::NotFoundError(
        absl::StrCat("this worker has no model \"", name, "\": start it with --model ", name, "=FOLDER"));
  }
  ASSIGN_OR_RETURN(const LoadedModel model, OpenModel(folder->second));
  loaded_[name] = model;
  return model;
}

}  // namespace heterosis
