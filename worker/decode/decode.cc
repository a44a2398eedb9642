// SPDX-License-Identifier: Apache-2.0
// Implements decode.h.
#include "worker/decode/decode.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/logging.h"
#include "common/base/status.h"
#include "worker/decode/repetition.h"

namespace heterosis {
namespace {

// A row of the batch: which request it serves and which tokens go in next.
struct Row {
  size_t request = 0;
  bool active = false;
  int64_t position = 0;
  int32_t last = 0;  // the newest token, once the prompt is in
};

class Decoder {
 public:
  Decoder(Model& model, std::span<const DecodeRequest> requests, const DecodeOptions& options,
          const TokenObserver& observer)
      : model_(model), requests_(requests), options_(options), observer_(observer), outputs_(requests.size()) {}

  absl::Status Prepare();
  absl::StatusOr<std::vector<DecodeOutput>> Run(const std::atomic<bool>* cancelled);

 private:
  // How many tokens a request may generate; 0 when its prompt fills all positions.
  int64_t NewTokensMax(size_t request) const;
  void Admit();
  absl::Status Step();
  absl::Status Accept(Row& row, const NextToken& next);
  bool IsEos(int32_t token) const {
    return std::find(options_.eos.begin(), options_.eos.end(), token) != options_.eos.end();
  }

  Model& model_;
  const std::span<const DecodeRequest> requests_;
  const DecodeOptions& options_;
  const TokenObserver& observer_;
  std::vector<DecodeOutput> outputs_;
  std::vector<Row> rows_;
  size_t waiting_ = 0;  // the first request that no row has taken yet
  std::vector<Segment> segments_;
  std::vector<NextToken> next_;
};

int64_t Decoder::NewTokensMax(size_t request) const {
  // The last generated token needs no position: nothing follows it.
  const int64_t room = model_.positions_max() - static_cast<int64_t>(requests_[request].prompt.size()) + 1;
  return std::clamp<int64_t>(room, 0, options_.max_new_tokens);
}

absl::Status Decoder::Prepare() {
  if (options_.max_new_tokens < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_new_tokens must be 0 or more, but is ", options_.max_new_tokens));
  }
  int64_t positions = 1;
  size_t unanswerable = 0;
  for (size_t i = 0; i < requests_.size(); ++i) {
    const int64_t length = static_cast<int64_t>(requests_[i].prompt.size());
    if (length == 0) return absl::InvalidArgumentError(absl::StrCat("the prompt of request ", i, " is empty"));
    const int64_t new_tokens = NewTokensMax(i);
    if (new_tokens > 0) positions = std::max(positions, length + new_tokens - 1);
    if (length > model_.positions_max()) ++unanswerable;
  }
  if (unanswerable > 0) {
    LogWarning(absl::StrCat(unanswerable, " prompts are longer than the model's ", model_.positions_max(),
                            " positions and get an empty answer"));
  }
  size_t bytes = options_.memory_bytes_max;
  if (bytes == 0) {
    ASSIGN_OR_RETURN(const size_t available, AvailableMemoryBytes(model_.device()));
    bytes = std::max(available / 10 * 8, model_.CacheBytes());  // what the cache holds is no longer available
  }
  const size_t row_bytes = model_.CacheBytesPerRow(positions);
  if (row_bytes > bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a sequence of ", positions, " tokens through ", model_.hops(), " layers needs ", row_bytes >> 20,
                     " MiB of KV cache and ", bytes >> 20,
                     " MiB are left: lower max_new_tokens, or the length of paths (max_hops)"));
  }
  const int rows = PlanRows(options_.batch_size, requests_.size(), row_bytes, bytes);
  rows_.resize(static_cast<size_t>(rows));
  return model_.ReserveCache(rows, positions);
}

void Decoder::Admit() {
  for (Row& row : rows_) {
    while (!row.active && waiting_ < requests_.size()) {
      const size_t request = waiting_++;
      if (NewTokensMax(request) == 0) continue;  // stays as it is: no tokens, kLength
      row = Row{.request = request, .active = true};
    }
  }
}

absl::Status Decoder::Accept(Row& row, const NextToken& next) {
  if (!next.finite) {
    return absl::DataLossError(absl::StrCat("NaN or Inf among the logits of request ", row.request, " after ",
                                            outputs_[row.request].tokens.size(), " new tokens"));
  }
  DecodeOutput& output = outputs_[row.request];
  row.position += row.position == 0 ? static_cast<int64_t>(requests_[row.request].prompt.size()) : 1;
  row.last = next.token;
  if (IsEos(next.token)) {
    output.finish = FinishReason::kEos;
    row.active = false;
    return absl::OkStatus();
  }
  output.tokens.push_back(next.token);
  if (observer_ && observer_(row.request, next.token)) {
    output.finish = FinishReason::kStop;
    row.active = false;
  } else if (EndsInRepetition(output.tokens, options_.repetition_window)) {
    output.finish = FinishReason::kRepetition;
    row.active = false;
  } else if (static_cast<int64_t>(output.tokens.size()) >= NewTokensMax(row.request)) {
    output.finish = FinishReason::kLength;
    row.active = false;
  }
  return absl::OkStatus();
}

absl::Status Decoder::Step() {
  segments_.clear();
  for (size_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    if (!row.active) continue;
    const std::span<const int32_t> tokens = row.position == 0 ? std::span<const int32_t>(requests_[row.request].prompt)
                                                              : std::span<const int32_t>(&row.last, 1);
    segments_.push_back({static_cast<int>(i), row.position, tokens});
  }
  next_.resize(segments_.size());
  RETURN_IF_ERROR(model_.Forward(segments_, next_));
  for (size_t i = 0; i < segments_.size(); ++i) {
    RETURN_IF_ERROR(Accept(rows_[static_cast<size_t>(segments_[i].row)], next_[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<DecodeOutput>> Decoder::Run(const std::atomic<bool>* cancelled) {
  while (true) {
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
      return absl::CancelledError("decoding was cancelled");
    }
    Admit();
    if (std::none_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.active; })) break;
    RETURN_IF_ERROR(Step());
  }
  return std::move(outputs_);
}

}  // namespace

int PlanRows(int batch_size, size_t requests, size_t row_bytes, size_t bytes) {
  const size_t fitting = row_bytes == 0 ? std::numeric_limits<size_t>::max() : bytes / row_bytes;
  const size_t wanted = std::min(static_cast<size_t>(std::max(batch_size, 1)), requests);
  return static_cast<int>(std::max<size_t>(1, std::min(wanted, fitting)));
}

absl::StatusOr<std::vector<DecodeOutput>> Decode(Model& model, std::span<const DecodeRequest> requests,
                                                 const DecodeOptions& options, const TokenObserver& observer,
                                                 const std::atomic<bool>* cancelled) {
  if (requests.empty()) return std::vector<DecodeOutput>();
  Decoder decoder(model, requests, options, observer);
  RETURN_IF_ERROR(decoder.Prepare());
  return decoder.Run(cancelled);
}

}  // namespace heterosis
