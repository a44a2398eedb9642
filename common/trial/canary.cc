// SPDX-License-Identifier: Apache-2.0
// Implements canary.h.
#include "common/trial/canary.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int kMax = 64;  // of problems, steps and logits: a canary is small

bool Agree(float a, float b, const CanaryTolerance& tolerance) {
  return std::abs(a - b) <= tolerance.absolute + tolerance.relative * std::max(std::abs(a), std::abs(b));
}

const TokenLogit* Find(const CanaryStep& step, int32_t token) {
  const auto entry = std::find_if(step.begin(), step.end(), [&](const TokenLogit& it) { return it.token == token; });
  return entry == step.end() ? nullptr : &*entry;
}

// Whether each logit of `a` stands in `b` too, or may have fallen out of it at its lower end.
absl::Status CompareOneWay(const CanaryStep& a, const CanaryStep& b, const CanaryTolerance& tolerance) {
  for (const TokenLogit& entry : a) {
    const TokenLogit* other = Find(b, entry.token);
    if (other != nullptr && Agree(entry.logit, other->logit, tolerance)) continue;
    if (other == nullptr && (entry.logit <= b.back().logit || Agree(entry.logit, b.back().logit, tolerance))) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("token ", entry.token, ": logit ", entry.logit, " against ",
                     other != nullptr ? absl::StrCat(other->logit)
                                      : absl::StrCat("at most ", b.back().logit, " (not in the list)")));
  }
  return absl::OkStatus();
}

absl::Status CompareSteps(const CanaryStep& reference, const CanaryStep& step, const CanaryTolerance& tolerance) {
  if (reference.empty() || reference.size() != step.size()) {
    return absl::InvalidArgumentError(absl::StrCat(step.size(), " logits instead of ", reference.size()));
  }
  for (const TokenLogit& entry : step) {
    if (!std::isfinite(entry.logit))
      return absl::InvalidArgumentError(absl::StrCat("token ", entry.token, ": NaN or Inf"));
  }
  RETURN_IF_ERROR(CompareOneWay(reference, step, tolerance));
  return CompareOneWay(step, reference, tolerance);
}

absl::Status CompareAnswers(const CanaryAnswer& reference, const CanaryAnswer& answer,
                            const CanaryTolerance& tolerance) {
  if (reference.size() != answer.size()) {
    return absl::InvalidArgumentError(absl::StrCat(answer.size(), " steps instead of ", reference.size()));
  }
  for (size_t i = 0; i < reference.size(); ++i) {
    if (absl::Status same = CompareSteps(reference[i], answer[i], tolerance); !same.ok()) {
      return Annotate(same, absl::StrCat("step ", i));
    }
    if (reference[i].front().token != answer[i].front().token) return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

CanaryTolerance ToleranceFor(DType compute) {
  switch (compute) {
    case DType::kFloat32:
      return {.absolute = 0.02F, .relative = 0.002F};
    case DType::kFloat16:
      return {.absolute = 0.15F, .relative = 0.01F};
    case DType::kBFloat16:
      break;
  }
  return {.absolute = 0.6F, .relative = 0.04F};
}

absl::Status ValidateCanary(const CanaryWork& work) {
  const auto within = [](size_t value) { return value >= 1 && value <= kMax; };
  if (!within(work.problems.size()) || work.steps < 1 || work.steps > kMax || work.top < 1 || work.top > kMax) {
    return absl::InvalidArgumentError(absl::StrCat("a canary of ", work.problems.size(), " problems, ", work.steps,
                                                   " steps and ", work.top, " logits: each must be 1 to ", kMax));
  }
  return absl::OkStatus();
}

absl::Status CompareCanary(const CanaryResult& reference, const CanaryResult& result,
                           const CanaryTolerance& tolerance) {
  if (result.failure.has_value()) return absl::InvalidArgumentError(absl::StrCat("it failed: ", result.message));
  if (reference.answers.size() != result.answers.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(result.answers.size(), " answers instead of ", reference.answers.size()));
  }
  for (size_t i = 0; i < reference.answers.size(); ++i) {
    if (absl::Status same = CompareAnswers(reference.answers[i], result.answers[i], tolerance); !same.ok()) {
      return Annotate(same, absl::StrCat("problem ", i));
    }
  }
  return absl::OkStatus();
}

}  // namespace heterosis
