// SPDX-License-Identifier: Apache-2.0
// What `worker merge` is asked to do, read from a recipe, a mergekit file or a trial database.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/genome/recipe.h"
#include "worker/cli/merge.h"

namespace heterosis {

struct MergePlan {
  Recipe recipe;
  ModelFolders models;  // of all that the recipe names
  std::string origin;   // of the recipe, a sentence for people; empty where nothing is known
};

// INVALID_ARGUMENT unless exactly one of the three forms is given. A recipe's models must be named by command.models;
// those of a mergekit file and of a database have paths, which may be overridden. A database's models are compared with
// the digests that it has of them: FAILED_PRECONDITION where a folder holds another model by now.
absl::StatusOr<MergePlan> PlanMerge(const MergeCommand& command);

}  // namespace heterosis
