// SPDX-License-Identifier: Apache-2.0
// Implements merge.h.
#include "worker/cli/merge.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"
#include "common/genome/recipe.h"
#include "coordinator/store/reader.h"
#include "worker/checkpoint/checkpoint_writer.h"
#include "worker/evaluate/recipe_merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

struct Plan {
  Recipe recipe;
  ModelFolders models;
};

absl::StatusOr<Plan> PlanFromRecipe(const MergeCommand& command) {
  Plan plan{.recipe = {}, .models = command.models};
  ASSIGN_OR_RETURN(const Json json, ReadJsonFile(command.recipe));
  absl::StatusOr<Recipe> recipe = RecipeFromJson(json);
  if (!recipe.ok()) return Annotate(recipe.status(), command.recipe);
  plan.recipe = *std::move(recipe);
  return plan;
}

absl::StatusOr<Plan> PlanFromMergekit(const MergeCommand& command) {
  ASSIGN_OR_RETURN(const MergekitFile file, MergekitFile::Read(command.mergekit));
  Plan plan;
  for (const NamedModel& model : file.models()) plan.models[model.name] = model.path;
  for (const auto& [name, folder] : command.models) plan.models[name] = folder;
  ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> first,
                   Checkpoint::Open(plan.models[file.models().front().name]));
  MergekitModelFacts facts;
  facts.num_layers = static_cast<int>(first->config().num_layers);
  for (const ConstTensor& tensor : first->tensors()) facts.tensors.push_back(tensor.name);
  facts.dtype = first->config().dtype;
  ASSIGN_OR_RETURN(plan.recipe, file.ToRecipe(facts));
  return plan;
}

absl::StatusOr<Plan> PlanFromDatabase(const MergeCommand& command) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(command.database));
  ASSIGN_OR_RETURN(TrialDetails details, reader->Trial(command.trial));
  ASSIGN_OR_RETURN(const ExperimentSummary experiment, reader->Experiment());
  Plan plan;
  plan.recipe = std::move(details.genome.recipe);
  for (const ModelRecord& model : experiment.models) plan.models[model.name] = model.folder;
  for (const auto& [name, folder] : command.models) plan.models[name] = folder;
  return plan;
}

absl::StatusOr<Plan> MakePlan(const MergeCommand& command) {
  const int given = static_cast<int>(!command.recipe.empty()) + static_cast<int>(!command.mergekit.empty()) +
                    static_cast<int>(!command.database.empty());
  if (given != 1) {
    return absl::InvalidArgumentError(
        "give exactly one of --recipe FILE, --mergekit FILE, or --db FILE with --trial ID");
  }
  if (!command.recipe.empty()) return PlanFromRecipe(command);
  if (!command.mergekit.empty()) return PlanFromMergekit(command);
  return PlanFromDatabase(command);
}

}  // namespace

absl::Status MergeToFolder(const MergeCommand& command) {
  ASSIGN_OR_RETURN(const Plan plan, MakePlan(command));
  ModelLibrary library(plan.models);
  ASSIGN_OR_RETURN(RecipeMerger merging, MakeRecipeMerger(ShapeOf(plan.recipe), library, command.threads));
  ASSIGN_OR_RETURN(const WeightBuffers buffers,
                   WeightBuffers::Allocate(merging.merger->output(), plan.recipe.out_dtype));
  RETURN_IF_ERROR(merging.merger->Merge(plan.recipe, buffers.tensors()));

  CheckpointOutput output;
  output.folder = command.out;
  output.tokenizer_folder = merging.tokenizer_model.checkpoint->folder();
  output.config = merging.config.raw;
  output.base_models = plan.recipe.sources;
  output.extra_files["heterosis_recipe.json"] = JsonText(RecipeToJson(plan.recipe), 2) + "\n";
  std::vector<ConstTensor> tensors;
  for (const MutableTensor& tensor : buffers.tensors())
    tensors.push_back({tensor.name, tensor.shape, tensor.dtype, tensor.data});
  RETURN_IF_ERROR(WriteCheckpoint(output, tensors));
  LogInfo(absl::StrFormat("wrote %s: %d tensors, %s", command.out, tensors.size(), Name(plan.recipe.out_dtype)));
  return absl::OkStatus();
}

}  // namespace heterosis
