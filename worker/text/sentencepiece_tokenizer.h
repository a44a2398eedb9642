// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a SentencePiece tokenizer.model describes (byte-pair encoding only).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/added_tokens.h"
#include "worker/text/sentencepiece_model.h"
#include "worker/text/sentencepiece_normalizer.h"
#include "worker/text/tokenizer.h"
#include "worker/text/tokenizer_files.h"
#include "worker/text/vocabulary.h"

namespace heterosis {

// Encodes and decodes as the library does. Tokens that tokenizer_config.json (or added_tokens.json) adds are found in
// the text first; each stretch between them is then encoded as a text of its own, as transformers does. BOS is added
// unless add_bos_token is false, EOS where add_eos_token is true.
class SentencePieceTokenizer : public Tokenizer {
 public:
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(const std::string& path, const TokenizerFiles& files);

  std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const override;
  DecodedPart DecodePart(std::span<const int32_t> ids, bool skip_special_tokens, bool continued) const override;
  const std::vector<std::string>& vocabulary() const override { return vocabulary_.tokens(); }
  std::optional<int32_t> IdOf(std::string_view token) const override { return vocabulary_.IdOf(token); }
  bool IsSpecial(int32_t id) const override;

 private:
  SentencePieceTokenizer() = default;
  absl::Status Build(SentencePieceModel model, const TokenizerFiles& files);
  void ResolveFrame(const TokenizerFiles& files);
  void EncodeText(std::string_view text, std::vector<int32_t>& ids) const;
  void AppendPiece(std::string_view piece, std::vector<int32_t>& ids) const;
  std::string SurfaceOf(int32_t id, bool skip_special_tokens, bool at_begin, bool& space_dropped) const;

  // Of a piece; added tokens behind the model's are kUserDefined.
  PieceType TypeOf(int32_t id) const;

  SentencePieceModel model_;  // its charsmap is dropped after loading
  SentencePieceNormalizer normalizer_;
  Vocabulary vocabulary_;  // the pieces and the added tokens
  TokenFinder added_tokens_;
  std::vector<bool> special_;
  std::vector<int32_t> byte_ids_;  // of the 256 byte pieces, or empty
  std::vector<int32_t> byte_of_;   // by id: the byte of a byte piece, or -1
  std::vector<int32_t> before_, after_;
};

}  // namespace heterosis
