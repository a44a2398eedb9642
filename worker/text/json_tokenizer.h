// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a tokenizer.json describes (byte-pair encoding only).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/added_tokens.h"
#include "worker/text/bpe.h"
#include "worker/text/decoder.h"
#include "worker/text/normalizer.h"
#include "worker/text/post_processor.h"
#include "worker/text/pre_tokenizer.h"
#include "worker/text/tokenizer.h"
#include "worker/text/tokenizer_files.h"

namespace heterosis {

class JsonTokenizer : public Tokenizer {
 public:
  // `path` is the tokenizer.json. Its truncation and padding are ignored: they would change texts silently.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& path, const TokenizerFiles& files);

  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override;
  DecodedPart DecodePart(std::span<const int32_t> ids, bool skip_special_tokens, bool continued) const override;
  const std::vector<std::string>& vocabulary() const override { return vocabulary_.tokens(); }
  std::optional<int32_t> IdOf(std::string_view token) const override { return vocabulary_.IdOf(token); }
  bool IsSpecial(int32_t id) const override;

 private:
  JsonTokenizer() = default;
  absl::Status Read(const JsonFields& root);
  absl::Status ReadAddedTokens(const JsonFields& root);
  void ApplyFiles(const TokenizerFiles& files);
  void EncodeText(std::string_view text, bool at_text_begin, std::vector<int32_t>& ids) const;

  BpeModel model_;
  Vocabulary vocabulary_;  // the model's tokens and the added ones
  std::vector<bool> special_;
  TokenFinder raw_tokens_;         // sought in the text as given
  TokenFinder normalized_tokens_;  // sought in the normalized text
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  SpecialTokenFrame frame_;
  Decoder decoder_;
};

}  // namespace heterosis
