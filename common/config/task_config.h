// SPDX-License-Identifier: Apache-2.0
// A config's parts that decide a score: how answers are asked for and judged, and where the problems stand.
#pragma once

#include "common/dataset/dataset.h"
#include "common/trial/task.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// `config` is checked (ReadConfig), so its prompt template is a known one; programmer error otherwise. Built-in
// templates are written out: the task needs no names.
Task TaskFromConfig(const v1::Experiment& config);

// One of a checked config's data sets, for ReadProblems.
DataSetOptions DataSetFromConfig(const v1::DataSet& data);

}  // namespace heterosis
