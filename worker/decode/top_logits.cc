// SPDX-License-Identifier: Apache-2.0
// Implements top_logits.h.
#include "worker/decode/top_logits.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

CanaryStep Largest(std::span<const float> logits, int top) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto last = order.begin() + std::min<int64_t>(top, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), last, order.end(), [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  CanaryStep step;
  for (auto token = order.begin(); token != last; ++token) {
    step.push_back({*token, logits[static_cast<size_t>(*token)]});
  }
  return step;
}

class Reader {
 public:
  Reader(Model& model, std::span<const DecodeRequest> requests, int steps, int top)
      : model_(model), requests_(requests), steps_(steps), top_(top), answers_(requests.size()) {}

  absl::StatusOr<std::vector<CanaryAnswer>> Read(const std::atomic<bool>& cancelled) {
    int64_t positions = 1;
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i].prompt.empty()) {
        return absl::InvalidArgumentError(absl::StrCat("the prompt of request ", i, " is empty"));
      }
      positions = std::max(positions, Length(i) + Steps(i) - 1);
    }
    RETURN_IF_ERROR(model_.ReserveCache(static_cast<int>(requests_.size()), positions));
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (cancelled) return absl::CancelledError("a canary was cancelled");
      if (Steps(i) > 0) RETURN_IF_ERROR(Forward({{static_cast<int>(i), 0, requests_[i].prompt}}));
    }
    for (int step = 1; step < steps_; ++step) {
      if (cancelled) return absl::CancelledError("a canary was cancelled");
      std::vector<Segment> segments;
      for (size_t i = 0; i < requests_.size(); ++i) {
        if (Steps(i) <= step) continue;
        segments.push_back({static_cast<int>(i), Length(i) + step - 1,
                            std::span<const int32_t>(&answers_[i].back().front().token, 1)});
      }
      if (segments.empty()) break;
      RETURN_IF_ERROR(Forward(segments));
    }
    return std::move(answers_);
  }

 private:
  int64_t Length(size_t request) const { return static_cast<int64_t>(requests_[request].prompt.size()); }

  // Nothing follows the last token: it needs no position.
  int64_t Steps(size_t request) const {
    return std::clamp<int64_t>(model_.positions_max() - Length(request) + 1, 0, steps_);
  }

  // Adds one step to the answer of each segment's row.
  absl::Status Forward(const std::vector<Segment>& segments) {
    const size_t vocabulary = static_cast<size_t>(model_.config().vocab_size);
    size_t tokens = 0;
    for (const Segment& segment : segments) tokens += segment.tokens.size();
    std::vector<float> logits(tokens * vocabulary);
    std::vector<NextToken> next(segments.size());
    RETURN_IF_ERROR(model_.Forward(segments, next, logits.data()));
    size_t end = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
      end += segments[i].tokens.size();
      if (!next[i].finite) {
        return absl::DataLossError(absl::StrCat("NaN or Inf among the logits of a canary's problem ", segments[i].row));
      }
      const std::span<const float> last = std::span<const float>(logits).subspan((end - 1) * vocabulary, vocabulary);
      answers_[static_cast<size_t>(segments[i].row)].push_back(Largest(last, top_));
    }
    return absl::OkStatus();
  }

  Model& model_;
  const std::span<const DecodeRequest> requests_;
  const int steps_, top_;
  std::vector<CanaryAnswer> answers_;
};

}  // namespace

absl::StatusOr<std::vector<CanaryAnswer>> TopLogits(Model& model, std::span<const DecodeRequest> requests, int steps,
                                                    int top, const std::atomic<bool>& cancelled) {
  return Reader(model, requests, steps, top).Read(cancelled);
}

}  // namespace heterosis
