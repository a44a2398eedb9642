// SPDX-License-Identifier: Apache-2.0
// The largest logits after prompts and a few greedy tokens more: what a canary compares. It goes the ways of decode.h:
// a prompt at once, then one token of every row together, with a KV cache.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/canary.h"
#include "worker/decode/decode.h"
#include "worker/model/model.h"

namespace heterosis {

// One answer per request, of `steps` >= 1 positions with the `top` >= 1 largest logits each; fewer positions where a
// prompt leaves no room within Model::positions_max(). EOS ends nothing. Errors as Decode's.
absl::StatusOr<std::vector<CanaryAnswer>> TopLogits(Model& model, std::span<const DecodeRequest> requests, int steps,
                                                    int top, const std::atomic<bool>& cancelled);

}  // namespace heterosis
