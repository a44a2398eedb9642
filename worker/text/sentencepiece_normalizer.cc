// SPDX-License-Identifier: Apache-2.0
// Implements sentencepiece_normalizer.h; the order of events is that of google/sentencepiece (src/normalizer.cc).
#include "worker/text/sentencepiece_normalizer.h"

#include <cstring>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/metaspace.h"

namespace heterosis {
namespace {

constexpr std::string_view kReplacementCharacter = "\uFFFD";

// A unit of darts-clone's double array.
uint32_t UnitLabel(uint32_t unit) {
  return unit & ((1u << 31) | 0xFF);
}
uint32_t UnitOffset(uint32_t unit) {
  return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}
bool UnitHasLeaf(uint32_t unit) {
  return (unit >> 8) & 1;
}
uint32_t UnitValue(uint32_t unit) {
  return unit & ((1u << 31) - 1);
}

}  // namespace

absl::StatusOr<CharsMap> CharsMap::Parse(std::string_view blob) {
  CharsMap map;
  if (blob.empty()) return map;
  const absl::Status broken = absl::InvalidArgumentError("precompiled_charsmap: is damaged");
  uint32_t trie_bytes = 0;
  if (blob.size() <= sizeof(trie_bytes)) return broken;
  std::memcpy(&trie_bytes, blob.data(), sizeof(trie_bytes));
  blob.remove_prefix(sizeof(trie_bytes));
  if (trie_bytes == 0 || trie_bytes >= blob.size() || trie_bytes % sizeof(uint32_t) != 0) return broken;
  map.units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(map.units_.data(), blob.data(), trie_bytes);
  map.replacements_ = std::string(blob.substr(trie_bytes));
  if (map.replacements_.back() != '\0') return broken;
  return map;
}

CharsMap::Rule CharsMap::Longest(std::string_view text) const {
  Rule rule;
  if (units_.empty()) return rule;
  size_t node = UnitOffset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (node >= units_.size() || UnitLabel(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= UnitOffset(unit);
    if (!UnitHasLeaf(unit) || node >= units_.size()) continue;
    const size_t begin = UnitValue(units_[node]);
    if (begin >= replacements_.size()) continue;
    rule = {i + 1, std::string_view(replacements_.data() + begin)};
  }
  return rule;
}

absl::StatusOr<SentencePieceNormalizer> SentencePieceNormalizer::Make(const SentencePieceModel& model) {
  SentencePieceNormalizer normalizer;
  ASSIGN_OR_RETURN(normalizer.rules_, CharsMap::Parse(model.charsmap));
  normalizer.space_ = model.escape_whitespaces ? kSpaceSymbol : " ";
  normalizer.add_dummy_prefix_ = model.add_dummy_prefix;
  normalizer.remove_extra_whitespaces_ = model.remove_extra_whitespaces;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const SentencePiece& piece = model.pieces[id];
    if (piece.type == PieceType::kUserDefined) normalizer.user_symbols_.Add(piece.text, static_cast<int32_t>(id));
  }
  return normalizer;
}

std::pair<std::string_view, size_t> SentencePieceNormalizer::NormalizePrefix(std::string_view text) const {
  if (const size_t length = user_symbols_.LongestAt(text, 0).length_bytes; length > 0) {
    return {text.substr(0, length), length};
  }
  if (const CharsMap::Rule rule = rules_.Longest(text); rule.length_bytes > 0) {
    return {rule.replacement, rule.length_bytes};
  }
  const CodePoint point = DecodeUtf8(text, 0);
  if (!point.valid) return {kReplacementCharacter, 1};
  return {text.substr(0, point.length_bytes), point.length_bytes};
}

std::string SentencePieceNormalizer::Normalize(std::string_view text) const {
  if (remove_extra_whitespaces_) {
    while (!text.empty()) {
      const auto [replacement, length] = NormalizePrefix(text);
      if (replacement != " ") break;
      text.remove_prefix(length);
    }
  }
  std::string out;
  if (text.empty()) return out;
  out.reserve(text.size() * 2);
  if (add_dummy_prefix_) out += space_;
  bool after_space = remove_extra_whitespaces_;
  while (!text.empty()) {
    auto [replacement, length] = NormalizePrefix(text);
    while (after_space && replacement.starts_with(' ')) replacement.remove_prefix(1);
    if (!replacement.empty()) {
      for (const char c : replacement) {
        if (c == ' ') {
          out += space_;
        } else {
          out += c;
        }
      }
      after_space = remove_extra_whitespaces_ && replacement.ends_with(' ');
    }
    text.remove_prefix(length);
  }
  while (remove_extra_whitespaces_ && out.ends_with(space_)) out.resize(out.size() - space_.size());
  return out;
}

}  // namespace heterosis
