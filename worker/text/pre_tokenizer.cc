// SPDX-License-Identifier: Apache-2.0
// Implements pre_tokenizer.h.
#include "worker/text/pre_tokenizer.h"

#include <functional>
#include <string_view>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/byte_level.h"
#include "worker/text/json_fields.h"
#include "worker/text/metaspace.h"
#include "worker/text/pattern.h"
#include "worker/text/splitting.h"
#include "worker/text/unicode.h"

namespace heterosis {
namespace {

// GPT-2's expression, which ByteLevel applies where use_regex is true.
constexpr char kGpt2Expression[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// Replaces every piece by what `cut` leaves of it.
void CutPieces(std::vector<TextPiece>& pieces,
               const std::function<std::vector<Regex::Match>(std::string_view text)>& cut) {
  std::vector<TextPiece> out;
  for (const TextPiece& piece : pieces) {
    for (const Regex::Match& part : cut(piece.text)) {
      if (part.begin == part.end) continue;
      out.push_back({piece.text.substr(part.begin, part.end - part.begin), piece.at_text_begin && part.begin == 0});
    }
  }
  pieces = std::move(out);
}

class SequencePreTokenizer : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<PreTokenizer>> parts) : parts_(std::move(parts)) {}
  void Apply(std::vector<TextPiece>& pieces) const override {
    for (const auto& part : parts_) part->Apply(pieces);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> parts_;
};

class SplitPreTokenizer : public PreTokenizer {
 public:
  SplitPreTokenizer(Pattern pattern, DelimiterBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void Apply(std::vector<TextPiece>& pieces) const override {
    CutPieces(pieces, [&](std::string_view text) {
      return Cut(StretchesOf(text.size(), pattern_.FindAll(text), invert_), behavior_);
    });
  }

 private:
  Pattern pattern_;
  DelimiterBehavior behavior_;
  bool invert_;
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  // `expression` may be nullptr.
  ByteLevelPreTokenizer(bool add_prefix_space, std::unique_ptr<Regex> expression)
      : add_prefix_space_(add_prefix_space), expression_(std::move(expression)) {}
  void Apply(std::vector<TextPiece>& pieces) const override {
    for (TextPiece& piece : pieces) {
      if (add_prefix_space_ && !piece.text.starts_with(' ')) piece.text = std::string(1, ' ').append(piece.text);
    }
    if (expression_ != nullptr) {
      CutPieces(pieces, [&](std::string_view text) {
        return Cut(StretchesOf(text.size(), expression_->FindAll(text), false), DelimiterBehavior::kIsolated);
      });
    }
    for (TextPiece& piece : pieces) piece.text = BytesToByteLevel(piece.text);
  }

 private:
  bool add_prefix_space_;
  std::unique_ptr<Regex> expression_;
};

class MetaspacePreTokenizer : public PreTokenizer {
 public:
  explicit MetaspacePreTokenizer(Metaspace options)
      : options_(std::move(options)),
        space_(Pattern::Literal(" ")),
        replacement_(Pattern::Literal(options_.replacement)) {}
  void Apply(std::vector<TextPiece>& pieces) const override {
    for (TextPiece& piece : pieces) {
      piece.text = space_.Replace(piece.text, options_.replacement);
      const bool prepend = options_.prepend == Metaspace::Prepend::kAlways ||
                           (options_.prepend == Metaspace::Prepend::kFirst && piece.at_text_begin);
      if (prepend && !piece.text.starts_with(options_.replacement)) piece.text.insert(0, options_.replacement);
    }
    if (!options_.split) return;
    CutPieces(pieces, [&](std::string_view text) {
      return Cut(StretchesOf(text.size(), replacement_.FindAll(text), false), DelimiterBehavior::kMergedWithNext);
    });
  }

 private:
  Metaspace options_;
  Pattern space_, replacement_;
};

class CharacterPreTokenizer : public PreTokenizer {
 public:
  CharacterPreTokenizer(bool (*is_match)(char32_t), DelimiterBehavior behavior)
      : is_match_(is_match), behavior_(behavior) {}
  void Apply(std::vector<TextPiece>& pieces) const override {
    CutPieces(pieces, [&](std::string_view text) { return Cut(StretchesOfCharacters(text, is_match_), behavior_); });
  }

 private:
  bool (*is_match_)(char32_t);
  DelimiterBehavior behavior_;
};

// Runs of word characters and runs of other visible characters; whitespace is dropped.
class WhitespacePreTokenizer : public PreTokenizer {
 public:
  void Apply(std::vector<TextPiece>& pieces) const override {
    CutPieces(pieces, [](std::string_view text) {
      std::vector<Regex::Match> parts;
      int previous = 0;
      for (size_t i = 0; i < text.size();) {
        const CodePoint point = DecodeUtf8(text, i);
        const int kind = IsWordCharacter(point.value) ? 2 : IsWhitespace(point.value) ? 0 : 1;
        if (kind != 0 && kind == previous) {
          parts.back().end = i + point.length_bytes;
        } else if (kind != 0) {
          parts.push_back({i, i + point.length_bytes});
        }
        previous = kind;
        i += point.length_bytes;
      }
      return parts;
    });
  }
};

using Made = absl::StatusOr<std::unique_ptr<PreTokenizer>>;

Made MakeSequence(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "pretokenizers"}));
  ASSIGN_OR_RETURN(const Json* list, fields.Array("pretokenizers"));
  std::vector<std::unique_ptr<PreTokenizer>> parts;
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(parts.emplace_back(), MakePreTokenizer((*list)[i], fields.Place("pretokenizers", i)));
  }
  return std::make_unique<SequencePreTokenizer>(std::move(parts));
}

Made MakeByteLevel(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "add_prefix_space", "trim_offsets", "use_regex"}));
  ASSIGN_OR_RETURN(const bool add_prefix_space, fields.Bool("add_prefix_space"));
  ASSIGN_OR_RETURN(const bool use_regex, fields.Bool("use_regex", true));
  std::unique_ptr<Regex> expression;
  if (use_regex) {
    ASSIGN_OR_RETURN(expression, Regex::Compile(kGpt2Expression));
  }
  return std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, std::move(expression));
}

Made MakeSplit(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "pattern", "behavior", "invert"}));
  ASSIGN_OR_RETURN(Pattern pattern, Pattern::Read(fields));
  ASSIGN_OR_RETURN(const DelimiterBehavior behavior, ReadDelimiterBehavior(fields, "behavior"));
  ASSIGN_OR_RETURN(const bool invert, fields.Bool("invert", false));
  return std::make_unique<SplitPreTokenizer>(std::move(pattern), behavior, invert);
}

Made MakeDigits(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "individual_digits"}));
  ASSIGN_OR_RETURN(const bool individual, fields.Bool("individual_digits", false));
  return std::make_unique<CharacterPreTokenizer>(
      IsNumeric, individual ? DelimiterBehavior::kIsolated : DelimiterBehavior::kContiguous);
}

Made MakePunctuation(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "behavior"}));
  DelimiterBehavior behavior = DelimiterBehavior::kIsolated;
  if (fields.Find("behavior") != nullptr) {
    ASSIGN_OR_RETURN(behavior, ReadDelimiterBehavior(fields, "behavior"));
  }
  return std::make_unique<CharacterPreTokenizer>(IsPunctuation, behavior);
}

}  // namespace

Made MakePreTokenizer(const Json& value, const std::string& place) {
  if (value.is_null()) return std::make_unique<SequencePreTokenizer>(std::vector<std::unique_ptr<PreTokenizer>>());
  ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(value, place));
  ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type == "Sequence") return MakeSequence(fields);
  if (type == "ByteLevel") return MakeByteLevel(fields);
  if (type == "Split") return MakeSplit(fields);
  if (type == "Digits") return MakeDigits(fields);
  if (type == "Punctuation") return MakePunctuation(fields);
  if (type == "Metaspace") {
    ASSIGN_OR_RETURN(Metaspace options, ReadMetaspace(fields));
    return std::make_unique<MetaspacePreTokenizer>(std::move(options));
  }
  RETURN_IF_ERROR(fields.AllowOnly({"type"}));
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") {
    return std::make_unique<CharacterPreTokenizer>(IsWhitespace, DelimiterBehavior::kRemoved);
  }
  return fields.ErrorAt("type", absl::StrCat("the pre-tokenizer \"", type, "\" is not supported"));
}

}  // namespace heterosis
