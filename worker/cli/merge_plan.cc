// SPDX-License-Identifier: Apache-2.0
// Implements merge_plan.h.
#include "worker/cli/merge_plan.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/status.h"
#include "common/config/canonical.h"
#include "common/genome/mergekit_yaml.h"
#include "common/genome/model_digest.h"
#include "coordinator/store/reader.h"
#include "worker/checkpoint/checkpoint.h"

namespace heterosis {
namespace {

std::set<std::string> NamesIn(const Recipe& recipe) {
  const std::vector<std::string> names = ModelsOf(recipe);
  return {names.begin(), names.end()};
}

// All that are missing at once, with what to write.
absl::Status CheckNames(const MergePlan& plan) {
  std::vector<std::string> missing;
  for (const std::string& name : NamesIn(plan.recipe)) {
    if (!plan.models.contains(name)) missing.push_back(absl::StrCat("--model ", name, "=FOLDER"));
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat("the recipe names models whose folders are not known; add ", absl::StrJoin(missing, " ")));
}

absl::StatusOr<MergePlan> PlanFromRecipe(const MergeCommand& command) {
  MergePlan plan{.recipe = {}, .models = command.models, .origin = ""};
  ASSIGN_OR_RETURN(const Json json, ReadJsonFile(command.recipe));
  absl::StatusOr<Recipe> recipe = RecipeFromJson(json);
  if (!recipe.ok()) return Annotate(recipe.status(), command.recipe);
  RETURN_IF_ERROR(Annotate(ValidateRecipe(*recipe), command.recipe));
  plan.recipe = *std::move(recipe);
  return plan;
}

absl::StatusOr<MergePlan> PlanFromMergekit(const MergeCommand& command) {
  ASSIGN_OR_RETURN(const MergekitFile file, MergekitFile::Read(command.mergekit));
  MergePlan plan;
  for (const NamedModel& model : file.models()) plan.models[model.name] = model.path;
  for (const auto& [name, folder] : command.models) plan.models[name] = folder;
  MergekitModelFacts facts;
  // The merged model has every tensor that one of them has: a head that is tied in one may be untied in another.
  std::set<std::string> seen;
  for (const NamedModel& model : file.models()) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Checkpoint> checkpoint, Checkpoint::Open(plan.models[model.name]));
    if (seen.empty()) {
      facts.num_layers = static_cast<int>(checkpoint->config().num_layers);
      facts.dtype = checkpoint->tensors().front().dtype;
    }
    for (const ConstTensor& tensor : checkpoint->tensors()) {
      if (seen.insert(tensor.name).second) facts.tensors.push_back(tensor.name);
    }
  }
  ASSIGN_OR_RETURN(plan.recipe, file.ToRecipe(facts));
  return plan;
}

std::string OriginOf(const ExperimentSummary& experiment, const TrialDetails& details) {
  std::string text = absl::StrCat("It is trial ", details.trial.trial, " of the experiment `", experiment.name, "`");
  if (!details.phase.empty() && details.genome.generation.has_value()) {
    absl::StrAppend(&text, ": phase `", details.phase, "`, generation ", *details.genome.generation);
  }
  if (details.genome.chosen) absl::StrAppend(&text, ", the one chosen at the end");
  return text + ".";
}

// The models that the trial was scored with, or an error: the same recipe over other models is another model.
absl::Status CheckDigests(const MergePlan& plan, const ExperimentSummary& experiment) {
  const std::set<std::string> names = NamesIn(plan.recipe);
  for (const ModelRecord& model : experiment.models) {
    if (!names.contains(model.name)) continue;
    const std::string& folder = plan.models.at(model.name);
    ASSIGN_OR_RETURN(const std::string digest, ModelDigest(folder));
    if (digest == model.digest) continue;
    return absl::FailedPreconditionError(absl::StrCat(folder, ": is not the model \"", model.name,
                                                      "\" that the experiment used: its files have changed; name the "
                                                      "right folder with --model ",
                                                      model.name, "=FOLDER"));
  }
  return absl::OkStatus();
}

absl::StatusOr<MergePlan> PlanFromDatabase(const MergeCommand& command) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(command.database));
  ASSIGN_OR_RETURN(const TrialDetails details, reader->Trial(command.trial));
  ASSIGN_OR_RETURN(const ExperimentSummary experiment, reader->Experiment());
  absl::StatusOr<v1::Experiment> config = ConfigFromCanonical(experiment.config);
  if (!config.ok()) return Annotate(config.status(), command.database);
  MergePlan plan;
  plan.recipe = details.genome.recipe;
  for (const v1::Model& model : config->models()) plan.models[model.name()] = model.path();
  for (const auto& [name, folder] : command.models) plan.models[name] = folder;
  plan.origin = OriginOf(experiment, details);
  RETURN_IF_ERROR(CheckNames(plan));
  RETURN_IF_ERROR(CheckDigests(plan, experiment));
  return plan;
}

absl::StatusOr<MergePlan> PlanByForm(const MergeCommand& command) {
  if (!command.recipe.empty()) return PlanFromRecipe(command);
  if (!command.mergekit.empty()) return PlanFromMergekit(command);
  return PlanFromDatabase(command);
}

}  // namespace

absl::StatusOr<MergePlan> PlanMerge(const MergeCommand& command) {
  const int given = static_cast<int>(!command.recipe.empty()) + static_cast<int>(!command.mergekit.empty()) +
                    static_cast<int>(!command.database.empty());
  if (given != 1) {
    return absl::InvalidArgumentError(
        "give exactly one of --recipe FILE, --mergekit FILE, or --db FILE with --trial ID");
  }
  ASSIGN_OR_RETURN(MergePlan plan, PlanByForm(command));
  RETURN_IF_ERROR(CheckNames(plan));
  const std::set<std::string> names = NamesIn(plan.recipe);
  std::erase_if(plan.models, [&](const auto& model) { return !names.contains(model.first); });
  return plan;
}

}  // namespace heterosis
