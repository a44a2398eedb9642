// SPDX-License-Identifier: Apache-2.0
// A Hugging Face model folder: config.json and safetensors, single or sharded with an index, mapped read-only.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/file.h"
#include "worker/checkpoint/model_config.h"
#include "worker/checkpoint/tensor.h"

namespace heterosis {

// Immutable after Open, thread-safe.
class Checkpoint {
 public:
  // Opens and checks everything: each tensor that the configuration asks for is there with the right shape and a
  // supported dtype. A broken or hostile file is an error that names the file and the tensor.
  static absl::StatusOr<std::shared_ptr<const Checkpoint>> Open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const ModelConfig& config() const { return config_; }
  // The tensors of ExpectedTensors(config()), in that order.
  const std::vector<ConstTensor>& tensors() const { return tensors_; }
  // By name, or nullptr.
  const ConstTensor* Find(const std::string& name) const;

 private:
  Checkpoint() = default;

  std::string folder_;
  ModelConfig config_;
  std::vector<MappedFile> files_;
  std::vector<ConstTensor> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace heterosis
