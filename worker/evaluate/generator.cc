// SPDX-License-Identifier: Apache-2.0
// Implements generator.h. Stop strings are watched for here, because decoding knows ids only.
#include "worker/evaluate/generator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "worker/decode/decode.h"
#include "worker/text/stream_decoder.h"

namespace heterosis {
namespace {

// Where the first of the stop strings begins in `text`, at or after `from`.
std::optional<size_t> FindStop(const std::string& text, size_t from, const std::vector<std::string>& stops) {
  std::optional<size_t> first;
  for (const std::string& stop : stops) {
    const size_t at = text.find(stop, from);
    if (at != std::string::npos && (!first.has_value() || at < *first)) first = at;
  }
  return first;
}

// Watches the texts that grow in a batch.
class StopWatcher {
 public:
  StopWatcher(const Tokenizer& tokenizer, const std::vector<std::string>& stops, size_t requests)
      : tokenizer_(tokenizer), stops_(stops), decoders_(stops.empty() ? 0 : requests), searched_(decoders_.size(), 0) {
    for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
  }

  bool SeesStop(size_t request, int32_t token) {
    if (stops_.empty()) return false;
    std::optional<StreamDecoder>& decoder = decoders_[request];
    if (!decoder.has_value()) decoder.emplace(tokenizer_, /*skip_special_tokens=*/true);
    decoder->Append(token);
    const bool found = FindStop(decoder->text(), searched_[request], stops_).has_value();
    // Only what is settled and too early for a stop string that is still incomplete need not be searched again.
    searched_[request] = std::max(longest_, decoder->settled_bytes()) - longest_;
    return found;
  }

 private:
  const Tokenizer& tokenizer_;
  const std::vector<std::string>& stops_;
  std::vector<std::optional<StreamDecoder>> decoders_;
  std::vector<size_t> searched_;
  size_t longest_ = 0;
};

Generated Finish(const Tokenizer& tokenizer, const Task& task, DecodeOutput output, size_t prompt_tokens) {
  Generated generated;
  generated.text = tokenizer.Decode(output.tokens, /*skip_special_tokens=*/true);
  if (output.finish == FinishReason::kStop) {
    generated.text.resize(FindStop(generated.text, 0, task.stop).value_or(generated.text.size()));
  }
  generated.tokens = std::move(output.tokens);
  generated.prompt_tokens = static_cast<int>(prompt_tokens);
  generated.finish = output.finish;
  return generated;
}

}  // namespace

absl::StatusOr<std::vector<Generated>> Generate(Model& model, const Tokenizer& tokenizer,
                                                std::span<const std::string> prompts, bool add_special_tokens,
                                                const Task& task, const std::atomic<bool>& cancelled,
                                                std::atomic<uint64_t>* progress) {
  std::vector<DecodeRequest> requests;
  for (const std::string& prompt : prompts) requests.push_back({tokenizer.Encode(prompt, add_special_tokens)});
  DecodeOptions options;
  options.max_new_tokens = task.max_new_tokens;
  options.eos.assign(tokenizer.special_ids().eos.begin(), tokenizer.special_ids().eos.end());
  for (const int64_t id : model.config().eos_token_ids) {
    if (std::find(options.eos.begin(), options.eos.end(), id) == options.eos.end()) options.eos.push_back(id);
  }
  options.repetition_window = task.repetition_window;
  options.batch_size = task.batch_size;
  StopWatcher watcher(tokenizer, task.stop, requests.size());
  const auto observe = [&](size_t request, int32_t token) {
    if (progress != nullptr) progress->fetch_add(1, std::memory_order_relaxed);
    return watcher.SeesStop(request, token);
  };
  ASSIGN_OR_RETURN(std::vector<DecodeOutput> outputs, Decode(model, requests, options, observe, &cancelled));
  std::vector<Generated> generated;
  for (size_t i = 0; i < outputs.size(); ++i) {
    generated.push_back(Finish(tokenizer, task, std::move(outputs[i]), requests[i].prompt.size()));
  }
  return generated;
}

}  // namespace heterosis
