// SPDX-License-Identifier: Apache-2.0
// All that decides an experiment, read by the caller: its config, its problems and what its models are. Stored when the
// experiment starts; a resume with anything else is refused. Only who its local workers are may change.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/model_folder.h"
#include "common/dataset/problem.h"
#include "common/trial/trial.h"
#include "coordinator/experiment/phase_plan.h"
#include "coordinator/store/records.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

struct ExperimentSetup {
  v1::Experiment config;  // checked by common/config
  std::vector<Problem> search, validation, test;
  std::map<std::string, std::string> model_digests;  // name -> ModelDigest
  ModelLayers model_layers;                          // name -> number of decoder layers

  // The names of the workers that this coordinator runs on its own machine. Where nobody else is there they are not
  // audited, unless the config says so: they share one processor and one memory, and what is wrong with it.
  std::set<std::string> local_workers;

  const std::vector<Problem>& problems(Split split) const;
};

// The models that are merged: the sources of every phase, and the base too where a phase interpolates from it (slerp).
// Winners of earlier phases are none of them.
// In the order of the config.
std::vector<std::string> ParentNames(const v1::Experiment& config);

// Indexes of all problems of a split.
SampleSet WholeSplit(const ExperimentSetup& setup, Split split);

// Samples that all trials of the experiment score if none is answered from the database, an upper estimate.
int64_t SamplesPlanned(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases);
// The same of the trials of the stages that come after `stage`.
int64_t SamplesPlannedAfter(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases,
                            const StageRecord& stage);

// What a new experiment writes down about itself.
ExperimentRecord RecordOf(const ExperimentSetup& setup, const std::vector<PhasePlan>& phases);

// OK where `setup` is that of the stored experiment but for what cannot change results. FailedPrecondition names every
// difference in the config, the models and the problems, and the remedy.
absl::Status CheckSameExperiment(const ExperimentRecord& stored, const ExperimentSetup& setup);

}  // namespace heterosis
