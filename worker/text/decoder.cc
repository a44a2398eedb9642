// SPDX-License-Identifier: Apache-2.0
// Implements decoder.h.
#include "worker/text/decoder.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/byte_level.h"
#include "worker/text/json_fields.h"
#include "worker/text/metaspace.h"
#include "worker/text/pattern.h"

namespace heterosis {
namespace {

constexpr char kReplacementCharacter[] = "\uFFFD";

std::string Join(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

class ReplaceStep : public DecoderStep {
 public:
  ReplaceStep(Pattern pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void Apply(std::vector<std::string>& pieces, bool) const override {
    for (std::string& piece : pieces) piece = pattern_.Replace(piece, content_);
  }

 private:
  Pattern pattern_;
  std::string content_;
};

// Runs of tokens <0xNN> become text; a run that is not UTF-8 becomes one U+FFFD per byte.
class ByteFallbackStep : public DecoderStep {
 public:
  void Apply(std::vector<std::string>& pieces, bool) const override {
    std::vector<std::string> out;
    std::string run;
    const auto flush = [&] {
      if (run.empty()) return;
      if (IsValidUtf8(run)) {
        out.push_back(run);
      } else {
        out.insert(out.end(), run.size(), kReplacementCharacter);
      }
      run.clear();
    };
    for (std::string& piece : pieces) {
      const int byte = ByteOfFallbackToken(piece);
      if (byte >= 0) {
        run += static_cast<char>(byte);
      } else {
        flush();
        out.push_back(std::move(piece));
      }
    }
    flush();
    pieces = std::move(out);
  }
  bool IsOpen(const std::vector<std::string>& pieces) const override {
    return !pieces.empty() && ByteOfFallbackToken(pieces.back()) >= 0;
  }
};

class FuseStep : public DecoderStep {
 public:
  void Apply(std::vector<std::string>& pieces, bool) const override { pieces = {Join(pieces)}; }
  bool IsStreamable(bool) const override { return true; }
  bool JoinsPieces() const override { return true; }
};

// Takes up to `start` and `stop` times `content` (one character) from the ends of each piece.
class StripStep : public DecoderStep {
 public:
  StripStep(std::string content, int32_t start, int32_t stop, bool on_tokens)
      : content_(std::move(content)), start_(start), stop_(stop), on_tokens_(on_tokens) {}
  void Apply(std::vector<std::string>& pieces, bool continued) const override {
    for (std::string& piece : pieces) {
      std::string_view rest = piece;
      const bool at_begin = on_tokens_ || !continued;
      for (int32_t i = 0; at_begin && i < start_ && rest.starts_with(content_); ++i)
        rest.remove_prefix(content_.size());
      for (int32_t i = 0; i < stop_ && rest.ends_with(content_); ++i) rest.remove_suffix(content_.size());
      piece = std::string(rest);
    }
  }
  bool IsStreamable(bool pieces_are_tokens) const override { return pieces_are_tokens || stop_ == 0; }

 private:
  std::string content_;
  int32_t start_, stop_;
  bool on_tokens_;
};

class ByteLevelStep : public DecoderStep {
 public:
  void Apply(std::vector<std::string>& pieces, bool) const override { pieces = {RepairUtf8(Bytes(pieces))}; }
  bool JoinsPieces() const override { return true; }
  // Open while the last bytes may be the beginning of a character.
  bool IsOpen(const std::vector<std::string>& pieces) const override { return IncompleteUtf8Tail(Bytes(pieces)) > 0; }

 private:
  static std::string Bytes(const std::vector<std::string>& pieces) {
    std::string bytes;
    for (const std::string& piece : pieces) bytes += ByteLevelToBytes(piece);
    return bytes;
  }
};

class MetaspaceStep : public DecoderStep {
 public:
  explicit MetaspaceStep(const Metaspace& options)
      : symbol_(Pattern::Literal(options.replacement)), drop_first_(options.prepend != Metaspace::Prepend::kNever) {}
  void Apply(std::vector<std::string>& pieces, bool continued) const override {
    for (size_t i = 0; i < pieces.size(); ++i) {
      const bool drop = i == 0 && drop_first_ && !continued;
      pieces[i] = symbol_.Replace(pieces[i], drop ? "" : " ");
    }
  }

 private:
  Pattern symbol_;
  bool drop_first_;
};

// What is decoded without a decoder: the tokens with spaces between them.
class JoinBySpacesStep : public DecoderStep {
 public:
  void Apply(std::vector<std::string>& pieces, bool continued) const override {
    for (size_t i = continued ? 0 : 1; i < pieces.size(); ++i) pieces[i] = std::string(1, ' ').append(pieces[i]);
  }
};

absl::StatusOr<std::unique_ptr<DecoderStep>> MakeReplace(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "pattern", "content"}));
  ASSIGN_OR_RETURN(Pattern pattern, Pattern::Read(fields));
  ASSIGN_OR_RETURN(std::string content, fields.String("content"));
  return std::make_unique<ReplaceStep>(std::move(pattern), std::move(content));
}

absl::StatusOr<std::unique_ptr<DecoderStep>> MakeStrip(const JsonFields& fields, bool on_tokens) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "content", "start", "stop"}));
  ASSIGN_OR_RETURN(std::string content, fields.String("content"));
  if (content.empty() || DecodeUtf8(content, 0).length_bytes != content.size()) {
    return fields.ErrorAt("content", "must be one character");
  }
  ASSIGN_OR_RETURN(const int32_t start, fields.Id("start"));
  ASSIGN_OR_RETURN(const int32_t stop, fields.Id("stop"));
  return std::make_unique<StripStep>(std::move(content), start, stop, on_tokens);
}

// The step of one object, not of a Sequence. `joined`: an earlier step left one piece for the whole text.
absl::StatusOr<std::unique_ptr<DecoderStep>> MakeStep(const JsonFields& fields, const std::string& type, bool joined) {
  if (type == "Replace") return MakeReplace(fields);
  if (type == "Strip") return MakeStrip(fields, !joined);
  if (type == "Metaspace") {
    ASSIGN_OR_RETURN(const Metaspace options, ReadMetaspace(fields));
    return std::make_unique<MetaspaceStep>(options);
  }
  if (type == "ByteLevel") {
    RETURN_IF_ERROR(fields.AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    return std::make_unique<ByteLevelStep>();
  }
  RETURN_IF_ERROR(fields.AllowOnly({"type"}));
  if (type == "ByteFallback") return std::make_unique<ByteFallbackStep>();
  if (type == "Fuse") return std::make_unique<FuseStep>();
  return fields.ErrorAt("type", absl::StrCat("the decoder \"", type, "\" is not supported"));
}

}  // namespace

absl::Status Decoder::AddSteps(const Json& value, const std::string& place,
                               std::vector<std::unique_ptr<DecoderStep>>& steps) {
  ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(value, place));
  ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type == "Sequence") {
    RETURN_IF_ERROR(fields.AllowOnly({"type", "decoders"}));
    ASSIGN_OR_RETURN(const Json* list, fields.Array("decoders"));
    for (size_t i = 0; i < list->size(); ++i) {
      RETURN_IF_ERROR(AddSteps((*list)[i], fields.Place("decoders", i), steps));
    }
    return absl::OkStatus();
  }
  const bool joined = std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step->JoinsPieces(); });
  ASSIGN_OR_RETURN(steps.emplace_back(), MakeStep(fields, type, joined));
  return absl::OkStatus();
}

absl::StatusOr<Decoder> Decoder::Make(const Json& value, const std::string& place) {
  Decoder decoder;
  if (value.is_null()) {
    decoder.steps_.push_back(std::make_unique<JoinBySpacesStep>());
    return decoder;
  }
  RETURN_IF_ERROR(AddSteps(value, place, decoder.steps_));
  bool joined = false;
  for (const auto& step : decoder.steps_) {
    decoder.streamable_ = decoder.streamable_ && step->IsStreamable(!joined);
    joined = joined || step->JoinsPieces();
  }
  return decoder;
}

Decoder::Result Decoder::Decode(std::vector<std::string> tokens, bool continued) const {
  bool open = !streamable_;
  for (const auto& step : steps_) {
    open = open || step->IsOpen(tokens);
    step->Apply(tokens, continued);
  }
  Result result{Join(tokens), false};
  result.settled = !open && (continued || !result.text.empty());
  return result;
}

}  // namespace heterosis
