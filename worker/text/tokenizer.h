// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, as the tokenizers that ship with a checkpoint do it: start here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

// Ids with a meaning for generation; nothing where the model's files name none.
struct SpecialIds {
  std::optional<int32_t> bos;
  std::vector<int32_t> eos;  // any of these ends an answer: the tokenizer's first, then generation_config.json's
  std::optional<int32_t> pad;
};

// Immutable after loading, thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Any bytes may come in. Broken UTF-8: a tokenizer.json reads each maximal broken sequence as one U+FFFD (as
  // bytes.decode(errors="replace") before huggingface/tokenizers), a tokenizer.model each broken byte (as
  // sentencepiece). `add_special_tokens` puts the tokens round the text that the model's files ask for (mostly BOS).
  virtual std::vector<int32_t> Encode(std::string_view text, bool add_special_tokens) const = 0;

  // Valid UTF-8, whatever the ids; ids out of range are left out. Equal to huggingface/tokenizers' and sentencepiece's
  // decode, which drop the leading space that encoding adds.
  std::string Decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

  // The tokens by id, "" where an id has none; models with one base are matched by these strings.
  virtual const std::vector<std::string>& vocabulary() const = 0;
  // The highest id + 1.
  int32_t vocab_size() const { return static_cast<int32_t>(vocabulary().size()); }
  // "" for an id that has no token.
  std::string TokenOf(int32_t id) const;
  virtual std::optional<int32_t> IdOf(std::string_view token) const = 0;
  virtual bool IsSpecial(int32_t id) const = 0;
  const SpecialIds& special_ids() const { return special_ids_; }

  // Text of a part of the ids; `settled` where no later id can change it. `continued`: all before `ids` was settled.
  struct DecodedPart {
    std::string text;
    bool settled;
  };
  virtual DecodedPart DecodePart(std::span<const int32_t> ids, bool skip_special_tokens, bool continued) const = 0;

 protected:
  SpecialIds special_ids_;
};

// Reads tokenizer.json where there is one, else tokenizer.model (SentencePiece BPE), and what tokenizer_config.json,
// special_tokens_map.json, generation_config.json, added_tokens.json and config.json say about special tokens. Errors
// name the file and the place in it; nothing that could change ids is skipped silently.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& model_folder);

}  // namespace heterosis
