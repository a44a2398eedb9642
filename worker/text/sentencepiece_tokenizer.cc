// SPDX-License-Identifier: Apache-2.0
// Implements sentencepiece_tokenizer.h.
#include "worker/text/sentencepiece_tokenizer.h"

#include <algorithm>
#include <utility>

#include "common/base/file.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/byte_level.h"
#include "worker/text/metaspace.h"
#include "worker/text/sentencepiece_bpe.h"

namespace heterosis {
namespace {

std::string SpacesOf(std::string_view piece) {
  std::string out;
  constexpr std::string_view symbol = kSpaceSymbol;
  for (size_t at = 0; at < piece.size();) {
    if (piece.substr(at).starts_with(symbol)) {
      out += ' ';
      at += symbol.size();
    } else {
      out += piece[at++];
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizer::Load(const std::string& path,
                                                                        const TokenizerFiles& files) {
  ASSIGN_OR_RETURN(const std::string message, ReadFile(path));
  absl::StatusOr<SentencePieceModel> model = ParseSentencePieceModel(message);
  if (!model.ok()) return Annotate(model.status(), path);
  auto tokenizer = std::unique_ptr<SentencePieceTokenizer>(new SentencePieceTokenizer());
  if (const absl::Status status = tokenizer->Build(std::move(model).value(), files); !status.ok()) {
    return Annotate(status, path);
  }
  return tokenizer;
}

absl::Status SentencePieceTokenizer::Build(SentencePieceModel model, const TokenizerFiles& files) {
  ASSIGN_OR_RETURN(normalizer_, SentencePieceNormalizer::Make(model));
  model.charsmap.clear();
  model_ = std::move(model);
  std::vector<std::pair<std::string, int32_t>> entries;
  entries.reserve(model_.pieces.size() + files.added.size());
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    entries.emplace_back(model_.pieces[id].text, static_cast<int32_t>(id));
  }
  for (const AddedToken& token : files.added) {
    if (static_cast<size_t>(token.id) >= model_.pieces.size()) {
      entries.emplace_back(token.content, token.id);
    } else if (model_.pieces[static_cast<size_t>(token.id)].text != token.content) {
      return absl::InvalidArgumentError(absl::StrCat("piece ", token.id, " is \"", entries[token.id].first,
                                                     "\", but the added tokens call it \"", token.content, "\""));
    }
  }
  ASSIGN_OR_RETURN(vocabulary_, Vocabulary::Make(std::move(entries)));
  special_.assign(vocabulary_.tokens().size(), false);
  byte_of_.assign(vocabulary_.tokens().size(), -1);
  if (model_.byte_fallback) byte_ids_.assign(256, -1);
  for (size_t id = 0; id < model_.pieces.size(); ++id) {
    const PieceType type = model_.pieces[id].type;
    special_[id] = type == PieceType::kControl || type == PieceType::kUnknown;
    if (type != PieceType::kByte) continue;
    const int byte = ByteOfFallbackToken(model_.pieces[id].text);
    if (byte < 0) return absl::InvalidArgumentError(absl::StrCat("pieces[", id, "]: is no byte such as <0x0A>"));
    byte_of_[id] = byte;
    byte_ids_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
  }
  if (std::find(byte_ids_.begin(), byte_ids_.end(), -1) != byte_ids_.end()) {
    return absl::InvalidArgumentError("pieces: a byte has no piece, but another has two");
  }
  for (const AddedToken& token : files.added) {
    if (token.special) special_[static_cast<size_t>(token.id)] = true;
    added_tokens_.Add(token.content, token);
  }
  ResolveFrame(files);
  return absl::OkStatus();
}

void SentencePieceTokenizer::ResolveFrame(const TokenizerFiles& files) {
  TokenizerFiles named = files;
  const auto is_control = [&](const char* piece) {
    const std::optional<int32_t> id = IdOf(piece);
    return id && TypeOf(*id) == PieceType::kControl;
  };
  if (!named.bos && is_control("<s>")) named.bos = "<s>";
  if (!named.eos && is_control("</s>")) named.eos = "</s>";
  special_ids_ = ResolveSpecialIds(
      named, [&](std::string_view token) { return IdOf(token); }, vocab_size());
  if (files.add_bos.value_or(true) && special_ids_.bos) before_ = {*special_ids_.bos};
  if (files.add_eos.value_or(false) && named.eos && IdOf(*named.eos)) after_ = {*IdOf(*named.eos)};
}

PieceType SentencePieceTokenizer::TypeOf(int32_t id) const {
  const auto index = static_cast<size_t>(id);
  return index < model_.pieces.size() ? model_.pieces[index].type : PieceType::kUserDefined;
}

bool SentencePieceTokenizer::IsSpecial(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < special_.size() && special_[static_cast<size_t>(id)];
}

// Known pieces give their id, others their bytes; without byte fallback, neighbours that are unknown give one id.
void SentencePieceTokenizer::AppendPiece(std::string_view piece, std::vector<int32_t>& ids) const {
  const std::optional<int32_t> id = vocabulary_.IdOf(piece);
  if (id && static_cast<size_t>(*id) < model_.pieces.size() && *id != model_.unknown_id) {
    ids.push_back(*id);
  } else if (model_.byte_fallback) {
    for (const char c : piece) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  } else if (ids.empty() || ids.back() != model_.unknown_id) {
    ids.push_back(model_.unknown_id);
  }
}

void SentencePieceTokenizer::EncodeText(std::string_view text, std::vector<int32_t>& ids) const {
  const std::string normalized = normalizer_.Normalize(text);
  std::vector<int32_t> own;
  for (const std::string_view piece : CutIntoPieces(normalized, model_, vocabulary_, normalizer_.user_symbols())) {
    AppendPiece(piece, own);
  }
  ids.insert(ids.end(), own.begin(), own.end());
}

std::vector<int32_t> SentencePieceTokenizer::Encode(std::string_view text, bool add_special_tokens) const {
  std::vector<int32_t> ids;
  if (add_special_tokens) ids = before_;
  for (const TokenFinder::Segment& segment : added_tokens_.Cut(text)) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      EncodeText(segment.text, ids);
    }
  }
  if (add_special_tokens) ids.insert(ids.end(), after_.begin(), after_.end());
  return ids;
}

// The text of a piece that is no byte. `at_begin`: nothing has been written yet, so that the space that encoding put
// before the text is dropped; `space_dropped` says whether it was this one.
std::string SentencePieceTokenizer::SurfaceOf(int32_t id, bool skip_special_tokens, bool at_begin,
                                              bool& space_dropped) const {
  space_dropped = false;
  const std::string& token = vocabulary_.TokenOf(id);
  if (static_cast<size_t>(id) >= model_.pieces.size()) return skip_special_tokens && IsSpecial(id) ? "" : token;
  if (TypeOf(id) == PieceType::kControl) return skip_special_tokens ? "" : token;
  if (TypeOf(id) == PieceType::kUnknown) return model_.unknown_surface;
  std::string_view piece = token;
  if (at_begin && (model_.add_dummy_prefix || model_.remove_extra_whitespaces) && piece.starts_with(kSpaceSymbol)) {
    piece.remove_prefix(std::string_view(kSpaceSymbol).size());
    // With remove_extra_whitespaces any number of leading spaces is dropped.
    space_dropped = !model_.remove_extra_whitespaces;
  }
  return SpacesOf(piece);
}

Tokenizer::DecodedPart SentencePieceTokenizer::DecodePart(std::span<const int32_t> ids, bool skip_special_tokens,
                                                          bool continued) const {
  DecodedPart part{"", false};
  std::string run;  // bytes of byte pieces that follow one another
  bool at_begin = !continued, space_dropped = false;
  const auto flush = [&] {
    for (size_t at = 0; at < run.size();) {
      const CodePoint point = DecodeUtf8(run, at);
      AppendUtf8(point.valid ? point.value : char32_t{0xFFFD}, part.text);
      at += point.length_bytes;
    }
    run.clear();
  };
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab_size() || vocabulary_.TokenOf(id).empty()) continue;
    if (const int32_t byte = byte_of_[static_cast<size_t>(id)]; byte >= 0) {
      run += static_cast<char>(byte);
      continue;
    }
    flush();
    if (space_dropped || !part.text.empty()) at_begin = false;
    part.text += SurfaceOf(id, skip_special_tokens, at_begin, space_dropped);
  }
  const bool open = IncompleteUtf8Tail(run) > 0;
  flush();
  part.settled = !open && (continued || !part.text.empty());
  return part;
}

}  // namespace heterosis
