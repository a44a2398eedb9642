// SPDX-License-Identifier: Apache-2.0
// A canary: a known recipe and a few problems, whose logits a worker computes to show that its device computes rightly.
// What to ask, what comes back, and when two answers are the same but for rounding.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/dataset/problem.h"
#include "common/genome/recipe.h"
#include "common/trial/trial.h"

namespace heterosis {

struct CanaryWork {
  int64_t number = 0;  // of the asker; the result repeats it
  Recipe recipe;
  std::vector<Problem> problems;  // only their questions are used
  int steps = 4;                  // positions per problem: the last one of the prompt, then greedy ones
  int top = 8;                    // logits told of each position
  bool operator==(const CanaryWork&) const = default;
};

struct TokenLogit {
  int32_t token = 0;
  float logit = 0;
  bool operator==(const TokenLogit&) const = default;
};

// The largest logits at one position, the largest first; of equal ones the smaller token first. The first token is the
// one that greedy decoding goes on with, EOS like any other.
using CanaryStep = std::vector<TokenLogit>;
using CanaryAnswer = std::vector<CanaryStep>;  // CanaryWork::steps of them, fewer where a prompt fills all positions

struct CanaryResult {
  int64_t number = 0;
  std::vector<CanaryAnswer> answers;  // one for each problem
  // Where it could not be computed (then there are no answers): why.
  std::optional<FailureClass> failure;
  std::string message;
  bool operator==(const CanaryResult&) const = default;
};

// Two logits agree if they differ by at most absolute + relative * max(|a|, |b|).
struct CanaryTolerance {
  float absolute = 0;
  float relative = 0;
};

// What healthy devices of different kinds, which sum in different orders, stay well within: docs/reliability.md has the
// measurements. A flipped exponent bit, or a lost tile of a product, is far beyond.
CanaryTolerance ToleranceFor(DType compute);

// INVALID_ARGUMENT for no problems, more than 64, or steps or top outside 1..64.
absl::Status ValidateCanary(const CanaryWork& work);

// OK if `result` is `reference` but for rounding; otherwise INVALID_ARGUMENT with the first difference (problem, step,
// token, both logits). Every logit of a position must agree. A token may be missing from one of the two lists if the
// other's logit of it is no more than the tolerance above the list's smallest. Where the two decode on with different
// tokens (allowed within the tolerance), the later steps of that problem have nothing in common and are not compared.
// A result with a failure, a NaN or Inf, or another number of answers, steps or logits never agrees. `number` is not
// compared. No clock, no I/O.
absl::Status CompareCanary(const CanaryResult& reference, const CanaryResult& result, const CanaryTolerance& tolerance);

}  // namespace heterosis
