// SPDX-License-Identifier: Apache-2.0
// Implements export.h.
#include "coordinator/cli/export.h"

#include <memory>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "common/config/canonical.h"
#include "common/genome/mergekit_yaml.h"
#include "coordinator/store/reader.h"

namespace heterosis {
namespace {

// Where a merge comes from, as a comment: names may hold anything, so they are quoted.
std::string Comment(const ExperimentSummary& experiment, const TrialDetails& details) {
  std::string text = absl::StrCat("# Experiment ", JsonText(Json(experiment.name)), ", trial ", details.trial.trial);
  if (details.genome.generation.has_value()) {
    absl::StrAppend(&text, ": phase ", JsonText(Json(details.phase)), ", generation ", *details.genome.generation,
                    ", candidate ", details.genome.candidate);
  } else {
    absl::StrAppend(&text, ": the parent ", JsonText(Json(details.genome.label)));
  }
  return text + "\n";
}

absl::StatusOr<std::string> Mergekit(const ExperimentSummary& experiment, const TrialDetails& details) {
  ASSIGN_OR_RETURN(const v1::Experiment config, ConfigFromCanonical(experiment.config));
  std::vector<NamedModel> models;
  for (const v1::Model& model : config.models()) models.push_back({model.name(), model.path()});
  ASSIGN_OR_RETURN(const std::string text, MergekitText(details.genome.recipe, models));
  return Comment(experiment, details) + text;
}

}  // namespace

absl::Status Export(const ExportOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreReader> reader, StoreReader::Open(options.database));
  ASSIGN_OR_RETURN(const ExperimentSummary experiment, reader->Experiment());
  ASSIGN_OR_RETURN(const TrialDetails details, reader->Trial(options.trial));
  std::string text;
  if (options.format == "mergekit") {
    ASSIGN_OR_RETURN(text, Mergekit(experiment, details));
  } else if (options.format == "recipe") {
    text = JsonText(RecipeToJson(details.genome.recipe)) + "\n";
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("--format ", options.format, ": there are only mergekit and recipe"));
  }
  const bool replaces = FileExists(options.out);
  RETURN_IF_ERROR(WriteFileAtomic(options.out, text));
  LogInfo(absl::StrCat(replaces ? "replaced " : "wrote ", options.out, ": the merge of trial ", options.trial, " as ",
                       options.format));
  return absl::OkStatus();
}

}  // namespace heterosis
