// SPDX-License-Identifier: Apache-2.0
// Implements bpe.h: merges in the order of rank, then of place, as huggingface/tokenizers does (models/bpe/word.rs).
#include "worker/text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <utility>

#include "common/base/status.h"
#include "common/base/utf8.h"
#include "worker/text/byte_level.h"

namespace heterosis {
namespace {

constexpr uint64_t kEmptyKey = std::numeric_limits<uint64_t>::max();
constexpr size_t kTableCharacters = 0x10000;

uint64_t KeyOf(int32_t left, int32_t right) {
  return (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32) | static_cast<uint32_t>(right);
}

// A piece while it is being merged: a doubly linked list of symbols and a heap of merges that may still happen.
class Merger {
 public:
  Merger(const MergeTable& merges, std::vector<int32_t> ids) : merges_(merges), ids_(std::move(ids)) {
    const auto size = static_cast<int32_t>(ids_.size());
    next_.resize(ids_.size());
    previous_.resize(ids_.size());
    for (int32_t i = 0; i < size; ++i) {
      next_[At(i)] = i + 1 < size ? i + 1 : -1;
      previous_[At(i)] = i - 1;
    }
    for (int32_t i = 0; i + 1 < size; ++i) Collect(i);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void Run(std::vector<int32_t>& out) {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const Candidate top = heap_.back();
      heap_.pop_back();
      Merge(top);
    }
    for (int32_t i = 0; i != -1; i = next_[At(i)]) out.push_back(ids_[At(i)]);
  }

 private:
  static constexpr int32_t kRemoved = -1;
  struct Candidate {
    uint32_t rank;
    int32_t place;
    int32_t merged;
    auto operator<=>(const Candidate&) const = default;
  };

  static size_t At(int32_t place) { return static_cast<size_t>(place); }

  // Adds the merge of the symbol at `place` with its right neighbour; true if there is one.
  bool Collect(int32_t place) {
    const MergeTable::Rule* rule = merges_.Find(ids_[At(place)], ids_[At(next_[At(place)])]);
    if (rule != nullptr) heap_.push_back({rule->rank, place, rule->merged});
    return rule != nullptr;
  }
  void Push(int32_t place) {
    if (Collect(place)) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void Merge(const Candidate& top) {
    const int32_t left = top.place;
    if (ids_[At(left)] == kRemoved || next_[At(left)] == -1) return;
    const int32_t right = next_[At(left)];
    const MergeTable::Rule* rule = merges_.Find(ids_[At(left)], ids_[At(right)]);
    if (rule == nullptr || rule->merged != top.merged) return;  // the neighbours have changed since
    ids_[At(left)] = top.merged;
    ids_[At(right)] = kRemoved;
    next_[At(left)] = next_[At(right)];
    if (next_[At(left)] != -1) previous_[At(next_[At(left)])] = left;
    if (previous_[At(left)] != -1) Push(previous_[At(left)]);
    if (next_[At(left)] != -1) Push(left);
  }

  const MergeTable& merges_;
  std::vector<int32_t> ids_, next_, previous_;
  std::vector<Candidate> heap_;
};

}  // namespace

void MergeTable::Reserve(size_t count) {
  slots_.assign(std::bit_ceil(count * 2 + 2), Slot{kEmptyKey, {0, 0}});
}

size_t MergeTable::SlotOf(uint64_t key) const {
  uint64_t hash = key * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 32;
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot].key != key && slots_[slot].key != kEmptyKey) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

void MergeTable::Insert(int32_t left, int32_t right, Rule rule) {
  const uint64_t key = KeyOf(left, right);
  slots_[SlotOf(key)] = {key, rule};
}

const MergeTable::Rule* MergeTable::Find(int32_t left, int32_t right) const {
  const uint64_t key = KeyOf(left, right);
  const Slot& slot = slots_[SlotOf(key)];
  return slot.key == key ? &slot.rule : nullptr;
}

absl::StatusOr<BpeModel> BpeModel::Read(const JsonFields& model) {
  ASSIGN_OR_RETURN(const std::string type, model.String("type"));
  if (type != "BPE") {
    return model.ErrorAt("type", absl::StrCat("the model \"", type, "\" is not supported; only \"BPE\" is"));
  }
  RETURN_IF_ERROR(model.AllowOnly({"type", "vocab", "merges", "dropout", "unk_token", "continuing_subword_prefix",
                                   "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}));
  BpeModel bpe;
  RETURN_IF_ERROR(bpe.ReadVocabulary(model));
  RETURN_IF_ERROR(bpe.ReadMerges(model));
  RETURN_IF_ERROR(bpe.ReadOptions(model));
  return bpe;
}

absl::Status BpeModel::ReadVocabulary(const JsonFields& model) {
  ASSIGN_OR_RETURN(const JsonFields vocab, model.Object("vocab"));
  std::vector<std::pair<std::string, int32_t>> entries;
  entries.reserve(vocab.json().size());
  for (const auto& member : vocab.json().items()) {
    const std::optional<int32_t> id = JsonId(member.value());
    if (!id) return vocab.ErrorAt(member.key(), "must be a whole number from 0 to 2147483646");
    entries.emplace_back(member.key(), *id);
  }
  absl::StatusOr<Vocabulary> vocabulary = Vocabulary::Make(std::move(entries));
  if (!vocabulary.ok()) return vocab.Error(std::string(vocabulary.status().message()));
  vocabulary_ = std::move(vocabulary).value();

  byte_ids_.fill(-1);
  character_ids_.assign(kTableCharacters, -1);
  for (size_t id = 0; id < vocabulary_.tokens().size(); ++id) {
    const std::string& token = vocabulary_.tokens()[id];
    if (token.empty()) continue;
    const CodePoint point = DecodeUtf8(token, 0);
    if (point.length_bytes == token.size() && point.value < kTableCharacters) {
      character_ids_[point.value] = static_cast<int32_t>(id);
    }
  }
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    const std::string token = {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
    byte_ids_[byte] = vocabulary_.IdOf(token).value_or(-1);
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadMerges(const JsonFields& model) {
  ASSIGN_OR_RETURN(const Json* merges, model.Array("merges"));
  merges_.Reserve(merges->size());
  uint32_t rank = 0;
  for (size_t i = 0; i < merges->size(); ++i) {
    const Json& merge = (*merges)[i];
    std::string_view left, right;
    if (merge.is_string()) {  // older files: "left right"
      const std::string_view text = merge.get_ref<const std::string&>();
      if (text.starts_with("#version")) continue;
      const size_t space = text.find(' ');
      if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    }
    if (left.empty() || right.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model.Place("merges", i), R"(: must be two tokens, ["left", "right"] or "left right")"));
    }
    const std::optional<int32_t> left_id = vocabulary_.IdOf(left), right_id = vocabulary_.IdOf(right);
    const std::optional<int32_t> merged_id = vocabulary_.IdOf(std::string(left).append(right));
    if (!left_id || !right_id || !merged_id) {
      return absl::InvalidArgumentError(absl::StrCat(model.Place("merges", i), ": \"", std::string(left), "\", \"",
                                                     std::string(right),
                                                     "\" or what they make is not in the vocabulary"));
    }
    merges_.Insert(*left_id, *right_id, {rank++, *merged_id});
  }
  return absl::OkStatus();
}

absl::Status BpeModel::ReadOptions(const JsonFields& model) {
  if (const Json* dropout = model.Find("dropout"); dropout != nullptr && *dropout != 0.0) {
    return model.ErrorAt("dropout", "random merges are not supported; set it to null");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    ASSIGN_OR_RETURN(const std::string affix, model.String(key, ""));
    if (!affix.empty()) return model.ErrorAt(key, "is not supported");
  }
  ASSIGN_OR_RETURN(fuse_unknown_, model.Bool("fuse_unk", false));
  ASSIGN_OR_RETURN(byte_fallback_, model.Bool("byte_fallback", false));
  ASSIGN_OR_RETURN(ignore_merges_, model.Bool("ignore_merges", false));
  if (model.Find("unk_token") == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string unknown, model.String("unk_token"));
  unknown_id_ = vocabulary_.IdOf(unknown);
  if (!unknown_id_) return model.ErrorAt("unk_token", absl::StrCat("\"", unknown, "\" is not in the vocabulary"));
  return absl::OkStatus();
}

std::optional<int32_t> BpeModel::IdOfCharacter(char32_t value, std::string_view bytes) const {
  if (value >= kTableCharacters) return vocabulary_.IdOf(bytes);
  const int32_t id = character_ids_[value];
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

// One symbol per character; an unknown character becomes its bytes' tokens, where all of them exist, or the unknown
// token. A pending unknown token is written only before the next known character, also when bytes lie between: so
// does the reference.
void BpeModel::FirstSymbols(std::string_view piece, std::vector<int32_t>& ids) const {
  bool unknown_pending = false;
  for (size_t i = 0; i < piece.size();) {
    const CodePoint point = DecodeUtf8(piece, i);
    const std::string_view bytes = piece.substr(i, point.length_bytes);
    i += point.length_bytes;
    if (const std::optional<int32_t> id = IdOfCharacter(point.value, bytes)) {
      if (unknown_pending) ids.push_back(*unknown_id_);
      unknown_pending = false;
      ids.push_back(*id);
      continue;
    }
    const auto byte_id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
    if (byte_fallback_ && std::all_of(bytes.begin(), bytes.end(), [&](char c) { return byte_id(c) >= 0; })) {
      for (const char c : bytes) ids.push_back(byte_id(c));
    } else if (unknown_id_) {
      if (unknown_pending && !fuse_unknown_) ids.push_back(*unknown_id_);
      unknown_pending = true;
    }
  }
  if (unknown_pending) ids.push_back(*unknown_id_);
}

void BpeModel::Encode(std::string_view piece, std::vector<int32_t>& ids) const {
  if (piece.empty()) return;
  if (ignore_merges_) {
    if (const std::optional<int32_t> whole = vocabulary_.IdOf(piece)) {
      ids.push_back(*whole);
      return;
    }
  }
  std::vector<int32_t> symbols;
  symbols.reserve(piece.size());
  FirstSymbols(piece, symbols);
  if (symbols.size() < 2) {
    ids.insert(ids.end(), symbols.begin(), symbols.end());
    return;
  }
  Merger(merges_, std::move(symbols)).Run(ids);
}

}  // namespace heterosis
