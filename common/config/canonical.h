// SPDX-License-Identifier: Apache-2.0
// A config as text for the database, and what differs between two configs: a resume under another config is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// One line of JSON with the keys as in YAML, only those that are set, in the order of the schema. Equal configs have
// equal texts.
std::string CanonicalConfig(const v1::Experiment& config);
absl::StatusOr<v1::Experiment> ConfigFromCanonical(std::string_view text);

// What differs in a way that changes results, as "phases[0].optimizer.sigma: 0.1 -> 0.2"; a key that one config lacks
// has its default there. These may differ and are left out: scheduling (who does what when), evaluation.batch_size (how
// many answers are decoded together), and all paths (the caller compares what the files hold: models by digest,
// problems by text).
std::vector<std::string> ConfigDifferences(const v1::Experiment& stored, const v1::Experiment& now);

}  // namespace heterosis
