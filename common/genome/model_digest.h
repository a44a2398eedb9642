// SPDX-License-Identifier: Apache-2.0
// The identity of a source model, by content: a worker whose files differ from the coordinator's gets no work
// (DESIGN.md invariant 5).
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heterosis {

// SHA-256 over what decides a model's behaviour: config.json, generation_config.json, the *.safetensors files with
// their index, the tokenizer files and the chat template of `folder`, each by name and content. Reads every byte of
// them (about 1 s per GB).
absl::StatusOr<std::string> ModelDigest(const std::string& folder);

}  // namespace heterosis
