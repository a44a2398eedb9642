// SPDX-License-Identifier: Apache-2.0
// An answer as JSON: the same keys wherever a command prints one (docs/cli.md).
#pragma once

#include "common/base/json.h"
#include "common/dataset/problem.h"
#include "common/trial/trial.h"

namespace heterosis {

// {"sample", "question", "expected", "text", "answer", "correct", "number_ok", "language_ok", "prompt_tokens",
// "new_tokens", "finish"}; `problem` is the one that was asked.
Json ResultToJson(const SampleResult& result, const Problem& problem);

}  // namespace heterosis
