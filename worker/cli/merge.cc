// SPDX-License-Identifier: Apache-2.0
// Implements merge.h.
#include "worker/cli/merge.h"

#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"
#include "common/genome/recipe.h"
#include "worker/checkpoint/checkpoint_writer.h"
#include "worker/cli/merge_plan.h"
#include "worker/evaluate/recipe_merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

constexpr char kRecipeFile[] = "heterosis_recipe.json";
constexpr char kMergekitFile[] = "mergekit_config.yml";

std::vector<std::string> ParentsOf(const Recipe& recipe) {
  std::vector<std::string> parents = recipe.sources;
  if (!recipe.base.empty()) parents.insert(parents.begin(), recipe.base);
  return parents;
}

// The model card's part on how the model was made.
std::string Description(const MergePlan& plan, bool has_mergekit) {
  const Recipe& recipe = plan.recipe;
  std::string text = absl::StrCat("## How it was made\n\n", plan.origin, plan.origin.empty() ? "" : "\n\n",
                                  "| | |\n|---|---|\n| method | `", std::string(Name(recipe.method)), "` |\n");
  if (!recipe.base.empty()) absl::StrAppend(&text, "| base | ", recipe.base, " |\n");
  absl::StrAppend(&text, "| merged | ", absl::StrJoin(recipe.sources, ", "), " |\n| tokenizer of | ", recipe.tokenizer,
                  " |\n| arithmetic in | ", std::string(Name(recipe.dtype)), " |\n| stored as | ",
                  std::string(Name(recipe.out_dtype)), " |\n\n`", kRecipeFile,
                  "` has every weight. The same files of the parents and `worker merge --recipe ", kRecipeFile,
                  "` give the same bytes again.\n");
  if (has_mergekit) {
    absl::StrAppend(&text, "`", kMergekitFile, "` says the same to mergekit.");
    if (recipe.method == MergeMethod::kDareTies || recipe.method == MergeMethod::kDareLinear) {
      absl::StrAppend(&text, " Its random masks differ from ours, so that its result is akin but not equal.");
    }
    text += "\n";
  }
  return text;
}

CheckpointOutput OutputOf(const MergeCommand& command, const MergePlan& plan, const RecipeMerger& merging) {
  CheckpointOutput output;
  output.folder = command.out;
  output.tokenizer_folder = merging.tokenizer_model.checkpoint->folder();
  output.config = merging.config.raw;
  output.base_models = ParentsOf(plan.recipe);
  output.extra_files[kRecipeFile] = JsonText(RecipeToJson(plan.recipe), 2) + "\n";
  std::vector<NamedModel> models;
  for (const auto& [name, folder] : plan.models) models.push_back({name, folder});
  const absl::StatusOr<std::string> mergekit = MergekitText(plan.recipe, models);
  if (mergekit.ok()) {
    output.extra_files[kMergekitFile] = *mergekit;
  } else {
    LogWarning(absl::StrCat("no ", kMergekitFile, " is written: ", Message(mergekit.status())));
  }
  output.description = Description(plan, mergekit.ok());
  return output;
}

}  // namespace

absl::Status MergeToFolder(const MergeCommand& command) {
  RETURN_IF_ERROR(CheckOutputFolder(command.out));
  ASSIGN_OR_RETURN(const MergePlan plan, PlanMerge(command));
  ModelLibrary library(plan.models);
  ASSIGN_OR_RETURN(RecipeMerger merging, MakeRecipeMerger(ShapeOf(plan.recipe), library, command.threads));
  ASSIGN_OR_RETURN(const WeightBuffers buffers,
                   WeightBuffers::Allocate(merging.merger->output(), plan.recipe.out_dtype));
  RETURN_IF_ERROR(merging.merger->Merge(plan.recipe, buffers.tensors()));
  std::vector<ConstTensor> tensors;
  for (const MutableTensor& tensor : buffers.tensors()) {
    tensors.push_back({tensor.name, tensor.shape, tensor.dtype, tensor.data});
  }
  RETURN_IF_ERROR(WriteCheckpoint(OutputOf(command, plan, merging), tensors));
  LogInfo(absl::StrFormat("wrote %s: %d tensors, %s", command.out, tensors.size(), Name(plan.recipe.out_dtype)));
  return absl::OkStatus();
}

}  // namespace heterosis
