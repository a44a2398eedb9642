// SPDX-License-Identifier: Apache-2.0
// Reads an experiment's YAML file into the schema (proto/heterosis/v1/experiment.proto), with every error in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "heterosis/v1/experiment.pb.h"

namespace heterosis {

// The config with paths made absolute (relative ones start at the file's folder) and with the defaults filled in that
// depend on other keys: tokenizer (the base), sources (all models but the base), mask_seed (the seed) and the format of
// data files. Its models' folders and data files exist. INVALID_ARGUMENT with all errors at once, each a line
// "file:line: what is wrong, and what to write instead".
absl::StatusOr<v1::Experiment> ReadConfig(const std::string& path);

// As ReadConfig, for the text of a file that stands at `path`; the errors in the order of their lines, none if it is
// sound.
std::vector<std::string> ParseConfig(std::string_view text, const std::string& path, v1::Experiment& config);

}  // namespace heterosis
