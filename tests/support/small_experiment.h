// SPDX-License-Identifier: Apache-2.0
// Experiments small enough to be run thousands of times, models that answer by arithmetic on the recipe instead of by
// decoding, and what a database of one holds, for comparison.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/canary.h"
#include "common/trial/trial.h"
#include "coordinator/experiment/setup.h"

namespace heterosis {

// Two source models over a base, 8 search, 6 validation and 6 test problems, one phase of 3 generations of 6 candidates
// on 6 problems each, in shards of 2.
ExperimentSetup SmallSetup();

// SmallSetup with a second phase in data-flow space, whose model A is the first phase's winner.
ExperimentSetup TwoPhaseSetup();

// `count` problems whose texts name the split and themselves.
std::vector<Problem> NumberedProblems(const std::string& split, int count);

// Whether the model solves a problem: the nearer a merge's weights are to an optimum, or a path to a good one, the more
// it solves. The same recipe always solves the same problems.
bool Solves(const Recipe& recipe, int sample);
ShardResult Evaluate(const ShardWork& work);

// What every healthy device says, of the recipe and the questions alone; `off` is added to the largest logit.
CanaryResult AnswerCanary(const CanaryWork& work, float off = 0);

// Everything in the database at `path` but times, attempts and names of workers, as text, a line per row.
absl::StatusOr<std::string> DatabaseContents(const std::string& path);
// The first column of each row of a query on the database at `path`.
absl::StatusOr<std::vector<std::string>> QueryDatabase(const std::string& path, const std::string& sql);

}  // namespace heterosis
