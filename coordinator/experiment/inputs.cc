// SPDX-License-Identifier: Apache-2.0
// Implements inputs.h.
#include "coordinator/experiment/inputs.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/config/config.h"
#include "common/config/model_folder.h"
#include "common/config/task_config.h"
#include "common/dataset/dataset.h"
#include "common/genome/model_digest.h"

namespace heterosis {
namespace {

// The value, or nothing and one more error.
template <typename T>
T ValueOr(absl::StatusOr<T> value, std::vector<std::string>& errors) {
  if (value.ok()) return *std::move(value);
  errors.push_back(Message(value.status()));
  return T();
}

void ReadData(const v1::Data& data, ExperimentSetup& setup, std::vector<std::string>& errors) {
  setup.search = ValueOr(ReadProblems(DataSetFromConfig(data.search())), errors);
  if (data.has_validation()) setup.validation = ValueOr(ReadProblems(DataSetFromConfig(data.validation())), errors);
  setup.test = ValueOr(ReadProblems(DataSetFromConfig(data.test())), errors);
  if (!errors.empty()) return;
  if (const absl::Status disjoint = CheckDisjoint(setup.search, setup.validation, setup.test); !disjoint.ok()) {
    errors.push_back(Message(disjoint));
  }
}

}  // namespace

absl::StatusOr<Inputs> ReadInputs(const std::string& config_path) {
  Inputs inputs;
  ASSIGN_OR_RETURN(inputs.setup.config, ReadConfig(config_path));
  const v1::Experiment& config = inputs.setup.config;
  std::vector<std::string> errors;
  ReadData(config.data(), inputs.setup, errors);
  for (const v1::Model& model : config.models()) {
    inputs.model_folders[model.name()] = model.path();
    inputs.setup.model_layers[model.name()] = ValueOr(ReadModelShape(model.path()), errors).layers;
    if (errors.empty()) {
      LogDebug(absl::StrCat("reading model ", model.name(), " in ", model.path()));
      inputs.setup.model_digests[model.name()] = ValueOr(ModelDigest(model.path()), errors);
    }
  }
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrJoin(errors, "\n"));
  inputs.task = TaskFromConfig(config);
  return inputs;
}

}  // namespace heterosis
