// SPDX-License-Identifier: Apache-2.0
// Implements json_tokenizer.h.
#include "worker/text/json_tokenizer.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/json_fields.h"

namespace heterosis {
namespace {

absl::StatusOr<AddedToken> ReadAddedToken(const JsonFields& fields) {
  RETURN_IF_ERROR(fields.AllowOnly({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}));
  AddedToken token;
  ASSIGN_OR_RETURN(token.id, fields.Id("id"));
  ASSIGN_OR_RETURN(token.content, fields.String("content"));
  ASSIGN_OR_RETURN(token.single_word, fields.Bool("single_word", false));
  ASSIGN_OR_RETURN(token.lstrip, fields.Bool("lstrip", false));
  ASSIGN_OR_RETURN(token.rstrip, fields.Bool("rstrip", false));
  ASSIGN_OR_RETURN(token.special, fields.Bool("special", false));
  ASSIGN_OR_RETURN(token.normalized, fields.Bool("normalized", !token.special));
  return token;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> JsonTokenizer::Load(const std::string& path, const TokenizerFiles& files) {
  ASSIGN_OR_RETURN(const Json json, ReadJsonFile(path));
  absl::StatusOr<JsonFields> root = JsonFields::Of(json, "");
  if (!root.ok()) return Annotate(root.status(), path);
  auto tokenizer = std::unique_ptr<JsonTokenizer>(new JsonTokenizer());
  if (const absl::Status status = tokenizer->Read(*root); !status.ok()) return Annotate(status, path);
  tokenizer->ApplyFiles(files);
  return tokenizer;
}

absl::Status JsonTokenizer::Read(const JsonFields& root) {
  RETURN_IF_ERROR(root.AllowOnly({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                                  "post_processor", "decoder", "model"}));
  ASSIGN_OR_RETURN(const JsonFields model, root.Object("model"));
  ASSIGN_OR_RETURN(model_, BpeModel::Read(model));
  const Json null;
  const auto part = [&](const char* key) -> const Json& {
    const Json* found = root.Find(key);
    return found == nullptr ? null : *found;
  };
  ASSIGN_OR_RETURN(normalizer_, MakeNormalizer(part("normalizer"), "normalizer"));
  ASSIGN_OR_RETURN(pre_tokenizer_, MakePreTokenizer(part("pre_tokenizer"), "pre_tokenizer"));
  ASSIGN_OR_RETURN(frame_, ReadPostProcessor(part("post_processor"), "post_processor"));
  ASSIGN_OR_RETURN(decoder_, Decoder::Make(part("decoder"), "decoder"));
  RETURN_IF_ERROR(ReadAddedTokens(root));
  for (const std::vector<int32_t>* ids : {&frame_.before, &frame_.after}) {
    for (const int32_t id : *ids) {
      if (id >= vocab_size()) return root.ErrorAt("post_processor", absl::StrCat("there is no token ", id));
    }
  }
  return absl::OkStatus();
}

// A token that the model knows keeps the model's id. Others are numbered behind the model's tokens in the order of the
// list, whatever ids the file gives: so does the reference, and its numbers are what the weights were trained with.
absl::Status JsonTokenizer::ReadAddedTokens(const JsonFields& root) {
  std::vector<std::pair<std::string, int32_t>> entries;
  const std::vector<std::string>& model_tokens = model_.vocabulary().tokens();
  entries.reserve(model_tokens.size());
  for (size_t id = 0; id < model_tokens.size(); ++id) {
    if (!model_tokens[id].empty()) entries.emplace_back(model_tokens[id], static_cast<int32_t>(id));
  }
  std::unordered_map<std::string, int32_t> added_ids;
  auto next_id = static_cast<int32_t>(model_.vocabulary().count());
  std::vector<AddedToken> tokens;
  if (root.Find("added_tokens") != nullptr) {
    ASSIGN_OR_RETURN(const Json* list, root.Array("added_tokens"));
    for (size_t i = 0; i < list->size(); ++i) {
      ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::Of((*list)[i], root.Place("added_tokens", i)));
      ASSIGN_OR_RETURN(AddedToken token, ReadAddedToken(fields));
      if (token.content.empty()) continue;
      const auto [id, is_new] =
          added_ids.emplace(token.content, model_.vocabulary().IdOf(token.content).value_or(next_id));
      token.id = id->second;
      next_id = std::max(next_id, token.id + 1);
      if (is_new && !model_.vocabulary().IdOf(token.content)) entries.emplace_back(token.content, token.id);
      tokens.push_back(std::move(token));
    }
  }
  absl::StatusOr<Vocabulary> vocabulary = Vocabulary::Make(std::move(entries));
  if (!vocabulary.ok()) return root.ErrorAt("added_tokens", std::string(vocabulary.status().message()));
  vocabulary_ = std::move(vocabulary).value();
  special_.assign(vocabulary_.tokens().size(), false);
  for (const AddedToken& token : tokens) {
    if (token.special) special_[static_cast<size_t>(token.id)] = true;
    if (token.normalized) {
      normalized_tokens_.Add(normalizer_->Apply(token.content), token);
    } else {
      raw_tokens_.Add(token.content, token);
    }
  }
  return absl::OkStatus();
}

// add_bos_token and add_eos_token, where given, replace the file's template, as transformers does.
void JsonTokenizer::ApplyFiles(const TokenizerFiles& files) {
  special_ids_ = ResolveSpecialIds(
      files, [&](std::string_view token) { return IdOf(token); }, vocab_size());
  if (!files.add_bos.has_value() && !files.add_eos.has_value()) return;
  const bool begins_with_bos = special_ids_.bos && !frame_.before.empty() && frame_.before.front() == *special_ids_.bos;
  frame_ = SpecialTokenFrame();
  if (files.add_bos.value_or(begins_with_bos) && special_ids_.bos) frame_.before = {*special_ids_.bos};
  if (files.add_eos.value_or(false) && files.eos && IdOf(*files.eos)) frame_.after = {*IdOf(*files.eos)};
}

bool JsonTokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < special_.size() && special_[static_cast<size_t>(id)];
}

// Text without added tokens of the first kind: normalized, and cut at those of the second.
void JsonTokenizer::EncodeText(std::string_view text, bool at_text_begin, std::vector<int32_t>& ids) const {
  const std::string normalized = normalizer_->Apply(text);
  for (const TokenFinder::Segment& segment : normalized_tokens_.Cut(normalized)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    const bool at_begin = at_text_begin && segment.text.data() == normalized.data();
    std::vector<TextPiece> pieces{{std::string(segment.text), at_begin}};
    pre_tokenizer_->Apply(pieces);
    for (const TextPiece& piece : pieces) model_.Encode(piece.text, ids);
  }
}

std::vector<int32_t> JsonTokenizer::Encode(std::string_view text, bool add_special_tokens) const {
  const std::string repaired = RepairUtf8(text);
  std::vector<int32_t> ids;
  if (add_special_tokens) ids = frame_.before;
  for (const TokenFinder::Segment& segment : raw_tokens_.Cut(repaired)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      EncodeText(segment.text, segment.text.data() == repaired.data(), ids);
    }
  }
  if (add_special_tokens) ids.insert(ids.end(), frame_.after.begin(), frame_.after.end());
  return ids;
}

Tokenizer::DecodedPart JsonTokenizer::DecodePart(std::span<const int32_t> ids, bool skip_special_tokens,
                                                 bool continued) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const std::string& token = vocabulary_.TokenOf(id);
    if (token.empty() || (skip_special_tokens && IsSpecial(id))) continue;
    tokens.push_back(token);
  }
  if (tokens.empty()) return {"", continued};
  Decoder::Result result = decoder_.Decode(std::move(tokens), continued);
  return {std::move(result.text), result.settled};
}

}  // namespace heterosis
