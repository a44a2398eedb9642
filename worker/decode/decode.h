// SPDX-License-Identifier: Apache-2.0
// Greedy decoding of many prompts at once with a KV cache. A finished row leaves the batch and a waiting request takes
// its place in the next step. It works on token ids: texts, and so stop strings, are the caller's (TokenObserver).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/trial/trial.h"
#include "worker/model/model.h"

namespace heterosis {

struct DecodeRequest {
  std::vector<int32_t> prompt;  // not empty
};

struct DecodeOutput {
  std::vector<int32_t> tokens;  // without the EOS token; with the ones that completed a stop string or a repetition
  FinishReason finish = FinishReason::kLength;
};

struct DecodeOptions {
  int max_new_tokens = 1024;
  std::vector<int64_t> eos;
  int repetition_window = 0;    // Task::repetition_window
  int batch_size = 64;          // rows at most
  size_t memory_bytes_max = 0;  // for the KV cache; 0 = most of what the device has left
};

// Called for every new token of a request but EOS, in order; returns true to stop there (finish = kStop).
using TokenObserver = std::function<bool(size_t request, int32_t token)>;

// How many rows fit: at most `batch_size`, `requests` and as many caches of `row_bytes` as `bytes` holds; at least 1.
int PlanRows(int batch_size, size_t requests, size_t row_bytes, size_t bytes);

// One output per request. On a CPU a request's tokens do not depend on the batch, the other requests or the threads;
// on a GPU the same call gives the same tokens. A prompt that leaves no room within Model::positions_max() gives no
// tokens and kLength; generation ends there with kLength, too.
// DataLoss: NaN or Inf in the logits (the trial fails as kNumeric). Cancelled: `cancelled` became true (may be
// nullptr). InvalidArgument: an empty prompt, a token outside the vocabulary or a negative max_new_tokens;
// ResourceExhausted: not even one row fits.
absl::StatusOr<std::vector<DecodeOutput>> Decode(Model& model, std::span<const DecodeRequest> requests,
                                                 const DecodeOptions& options, const TokenObserver& observer,
                                                 const std::atomic<bool>* cancelled);

}  // namespace heterosis
