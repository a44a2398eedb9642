// SPDX-License-Identifier: Apache-2.0
// Implements merge.h.
#include "worker/cli/merge.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/genome/mergekit_yaml.h"
#include "common/genome/recipe.h"
#include "worker/checkpoint/checkpoint_writer.h"
#include "worker/cli/merge_plan.h"
#include "worker/cli/model_card.h"
#include "worker/evaluate/parts_merger.h"
#include "worker/model/weight_buffers.h"

namespace heterosis {
namespace {

// The tensors and files of the folder, beside what is copied.
struct Export {
  Json config;
  std::vector<ConstTensor> tensors;
  std::map<std::string, std::string> files;
};

// Layer s of the result is layer stored[s] of the buffers.
std::vector<ConstTensor> TensorsOf(ModelConfig config, const std::vector<int>& stored, const WeightBuffers& buffers) {
  std::unordered_map<std::string, const MutableTensor*> by_name;
  for (const MutableTensor& tensor : buffers.tensors()) by_name[tensor.name] = &tensor;
  config.num_layers = static_cast<int64_t>(stored.size());
  std::vector<ConstTensor> tensors;
  for (const TensorSpec& spec : ExpectedTensors(config)) {
    const int64_t layer = LayerOf(spec.name);
    const std::string from = layer < 0 ? spec.name : NameInLayer(spec.name, stored[static_cast<size_t>(layer)]);
    const MutableTensor& tensor = *by_name.at(from);
    tensors.push_back({spec.name, tensor.shape, tensor.dtype, tensor.data});
  }
  return tensors;
}

// Without scales a path is a plain deeper model, its layers written once a hop: it runs everywhere. With scales each
// layer is stored once, in the order in which the path first comes to it, and our Python file runs the path.
Export ExportOf(const Recipe& recipe, const ModelConfig& config, PathConfig path, const WeightBuffers& buffers) {
  Export result{.config = config.raw, .tensors = {}, .files = {}};
  std::vector<int> stored;
  for (PathHop& hop : path.hops) {
    const auto found = std::find(stored.begin(), stored.end(), hop.layer);
    const bool is_new = found == stored.end() || !path.has_scales();
    const int place = static_cast<int>((is_new ? stored.end() : found) - stored.begin());
    if (is_new) stored.push_back(hop.layer);
    hop.layer = place;
  }
  result.tensors = TensorsOf(config, stored, buffers);
  if (!recipe.is_path()) return result;
  if (path.has_scales()) {
    WritePathConfig(path, config.architecture, result.config);
    result.files[kModelingFile] = ModelingText(config.architecture);
  } else {
    WritePlainDepth(static_cast<int64_t>(path.hops.size()), result.config);
  }
  return result;
}

// Adds the recipe and, where it can say as much, mergekit's file.
void AddRecipeFiles(const MergePlan& plan, CheckpointOutput* output) {
  output->extra_files[kRecipeFile] = JsonText(RecipeToJson(plan.recipe), 2) + "\n";
  const std::vector<Hop>& path = plan.recipe.path;
  if (std::any_of(path.begin(), path.end(), [](const Hop& hop) { return hop.scale != 1; })) return;
  std::vector<NamedModel> models;
  for (const auto& [name, folder] : plan.models) models.push_back({name, folder});
  const absl::StatusOr<std::string> mergekit = MergekitText(plan.recipe, models);
  if (mergekit.ok()) {
    output->extra_files[kMergekitFile] = *mergekit;
  } else if (!plan.recipe.is_path()) {  // a path through merges never has one
    LogWarning(absl::StrCat("no ", kMergekitFile, " is written: ", Message(mergekit.status())));
  }
}

}  // namespace

absl::Status MergeToFolder(const MergeCommand& command) {
  RETURN_IF_ERROR(CheckOutputFolder(command.out));
  ASSIGN_OR_RETURN(const MergePlan plan, PlanMerge(command));
  ModelLibrary library(plan.models);
  ASSIGN_OR_RETURN(PartsMerger merger, PartsMerger::Create(plan.recipe, library, command.threads));
  ASSIGN_OR_RETURN(const PathConfig path, merger.PathOf(plan.recipe));
  ASSIGN_OR_RETURN(const WeightBuffers buffers, WeightBuffers::Allocate(merger.output(), plan.recipe.out_dtype));
  for (size_t part = 0; part < merger.parts(); ++part) {
    RETURN_IF_ERROR(merger.Merge(plan.recipe, part, buffers.tensors()));
  }
  Export written = ExportOf(plan.recipe, merger.config(), path, buffers);
  CheckpointOutput output;
  output.folder = command.out;
  output.tokenizer_folder = merger.tokenizer_model().checkpoint->folder();
  output.config = std::move(written.config);
  output.extra_files = std::move(written.files);
  AddRecipeFiles(plan, &output);
  output.base_models = ParentsOf(plan.recipe);
  output.description = DescribeMerge(plan, output.extra_files);
  RETURN_IF_ERROR(WriteCheckpoint(output, written.tensors));
  LogInfo(
      absl::StrFormat("wrote %s: %d tensors, %s", command.out, written.tensors.size(), Name(plan.recipe.out_dtype)));
  return absl::OkStatus();
}

}  // namespace heterosis
