// SPDX-License-Identifier: Apache-2.0
// Implements normalizer.h.
#include "worker/text/normalizer.h"

#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/json_fields.h"
#include "worker/text/pattern.h"
#include "worker/text/unicode.h"

namespace heterosis {
namespace {

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  std::string Apply(std::string_view text) const override {
    std::string out(text);
    for (const auto& part : parts_) out = part->Apply(out);
    return out;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string Apply(std::string_view text) const override {
    return text.empty() ? std::string() : prefix_ + std::string(text);
  }

 private:
  std::string prefix_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  std::string Apply(std::string_view text) const override { return pattern_.Replace(text, content_); }

 private:
  Pattern pattern_;
  std::string content_;
};

class UnicodeNormalizer : public Normalizer {
 public:
  explicit UnicodeNormalizer(NormalForm form) : form_(form) {}
  std::string Apply(std::string_view text) const override { return NormalizeUnicode(text, form_); }

 private:
  NormalForm form_;
};

class LowercaseNormalizer : public Normalizer {
 public:
  std::string Apply(std::string_view text) const override { return LowerCase(text); }
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  std::string Apply(std::string_view text) const override {
    size_t begin = 0, end = 0;  // `end`: behind the last character that is not whitespace
    bool seen = false;
    for (size_t i = 0; i < text.size();) {
      const CodePoint point = DecodeUtf8(text, i);
      i += point.length_bytes;
      if (IsWhitespace(point.value)) {
        if (!seen) begin = i;
      } else {
        seen = true;
        end = i;
      }
    }
    if (!left_) begin = 0;
    if (!right_) end = text.size();
    return begin < end ? std::string(text.substr(begin, end - begin)) : std::string();
  }

 private:
  bool left_, right_;
};

absl::StatusOr<std::unique_ptr<Normalizer>> MakeSequence(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "normalizers"}));
  ASSIGN_OR_RETURN(const Json* list, fields.Array("normalizers"));
  std::vector<std::unique_ptr<Normalizer>> parts;
  for (size_t i = 0; i < list->size(); ++i) {
    ASSIGN_OR_RETURN(parts.emplace_back(), MakeNormalizer((*list)[i], fields.Place("normalizers", i)));
  }
  return std::make_unique<SequenceNormalizer>(std::move(parts));
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeReplace(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "pattern", "content"}));
  ASSIGN_OR_RETURN(Pattern pattern, Pattern::Read(fields));
  ASSIGN_OR_RETURN(std::string content, fields.String("content"));
  return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
}

absl::StatusOr<std::unique_ptr<Normalizer>> MakeStrip(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"type", "strip_left", "strip_right"}));
  ASSIGN_OR_RETURN(const bool left, fields.Bool("strip_left"));
  ASSIGN_OR_RETURN(const bool right, fields.Bool("strip_right"));
  return std::make_unique<StripNormalizer>(left, right);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const Json& value, const std::string& place) {
  if (value.is_null()) return std::make_unique<SequenceNormalizer>(std::vector<std::unique_ptr<Normalizer>>());
  ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of(value, place));
  ASSIGN_OR_RETURN(const std::string type, fields.String("type"));
  if (type == "Sequence") return MakeSequence(fields);
  if (type == "Replace") return MakeReplace(fields);
  if (type == "Strip") return MakeStrip(fields);
  if (type == "Prepend") {
    RETURN_IF_ERROR(fields.AllowOnly({"type", "prepend"}));
    ASSIGN_OR_RETURN(std::string prefix, fields.String("prepend"));
    return std::make_unique<PrependNormalizer>(std::move(prefix));
  }
  RETURN_IF_ERROR(fields.AllowOnly({"type"}));
  if (type == "NFC") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfc);
  if (type == "NFD") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfd);
  if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfkc);
  if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(NormalForm::kNfkd);
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  return fields.ErrorAt("type", absl::StrCat("the normalizer \"", type, "\" is not supported"));
}

}  // namespace heterosis
