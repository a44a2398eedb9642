// SPDX-License-Identifier: Apache-2.0
// Implements tokenizer.h.
#include "worker/text/tokenizer.h"

#include "common/base/file.h"
#include "common/base/status.h"
#include "worker/text/json_tokenizer.h"
#include "worker/text/sentencepiece_tokenizer.h"
#include "worker/text/tokenizer_files.h"

namespace heterosis {

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  return DecodePart(ids, skip_special_tokens, false).text;
}

std::string Tokenizer::TokenOf(int32_t id) const {
  return id >= 0 && id < vocab_size() ? vocabulary()[static_cast<size_t>(id)] : std::string();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& model_folder) {
  ASSIGN_OR_RETURN(const TokenizerFiles files, ReadTokenizerFiles(model_folder));
  const std::string json = model_folder + "/tokenizer.json", model = model_folder + "/tokenizer.model";
  if (FileExists(json)) return JsonTokenizer::Load(json, files);
  if (FileExists(model)) return SentencePieceTokenizer::Load(model, files);
  return absl::NotFoundError(absl::StrCat(model_folder, ": has neither tokenizer.json nor tokenizer.model"));
}

}  // namespace heterosis
