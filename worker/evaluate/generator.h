// SPDX-License-Identifier: Apache-2.0
// Texts in, texts out: prompts are encoded, decoded in batches by the model, and cut at stop strings.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/task.h"
#include "common/trial/trial.h"
#include "worker/model/model.h"
#include "worker/text/tokenizer.h"

namespace heterosis {

struct Generated {
  std::string text;             // without the stop string, special tokens left out
  std::vector<int32_t> tokens;  // as the model wrote them, without the end token
  int prompt_tokens = 0;
  FinishReason finish = FinishReason::kEos;
};

// One result per prompt, in order. `prompts` are complete texts (templates filled in); `add_special_tokens` puts the
// tokenizer's BOS before them, which a chat template has written itself. Errors: CANCELLED, DATA_LOSS (NaN or
// Inf), RESOURCE_EXHAUSTED (memory), INVALID_ARGUMENT (an empty prompt, named by its index). A prompt that fills all
// positions of the model gets no text and kLength. `progress`, unless nullptr, counts the tokens.
absl::StatusOr<std::vector<Generated>> Generate(Model& model, const Tokenizer& tokenizer,
                                                std::span<const std::string> prompts, bool add_special_tokens,
                                                const Task& task, const std::atomic<bool>& cancelled,
                                                std::atomic<uint64_t>* progress = nullptr);

}  // namespace heterosis
