// SPDX-License-Identifier: Apache-2.0
// Implements sentencepiece_bpe.h after google/sentencepiece, src/bpe_model.cc.
#include "worker/text/sentencepiece_bpe.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "common/base/utf8.h"

namespace heterosis {
namespace {

// Bytes of the character that begins with `lead`, by its upper bits alone.
size_t LengthByLead(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

class Merger {
 public:
  Merger(std::string_view text, const SentencePieceModel& model, const Vocabulary& vocabulary,
         const ByteTrie& user_symbols)
      : model_(model), vocabulary_(vocabulary) {
    symbols_.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
      const size_t user_length = user_symbols.LongestAt(text, at).length_bytes;
      const size_t length = user_length > 0 ? user_length : std::min(LengthByLead(text[at]), text.size() - at);
      const auto place = static_cast<int32_t>(symbols_.size());
      at += length;
      symbols_.push_back(
          {text.substr(at - length, length), place - 1, at < text.size() ? place + 1 : -1, user_length > 0});
    }
  }

  std::vector<std::string_view> Run() {
    for (size_t i = 1; i < symbols_.size(); ++i) Push(static_cast<int32_t>(i) - 1, static_cast<int32_t>(i));
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), IsWorse);
      const Candidate top = heap_.back();
      heap_.pop_back();
      Merge(top);
    }
    std::vector<std::string_view> pieces;
    for (int32_t i = symbols_.empty() ? -1 : 0; i != -1; i = At(i).next) Resolve(At(i).text, pieces);
    return pieces;
  }

 private:
  struct Symbol {
    std::string_view text;  // empty once it has been joined to its left neighbour
    int32_t previous, next;
    bool frozen;
  };
  struct Candidate {
    float score;
    int32_t left, right;
    size_t length_bytes;
  };
  static bool IsWorse(const Candidate& a, const Candidate& b) {
    return a.score < b.score || (a.score == b.score && a.left > b.left);
  }
  Symbol& At(int32_t place) { return symbols_[static_cast<size_t>(place)]; }

  // The id of a piece that may come from joining.
  std::optional<int32_t> Mergeable(std::string_view text) const {
    const std::optional<int32_t> id = vocabulary_.IdOf(text);
    if (!id || static_cast<size_t>(*id) >= model_.pieces.size()) return std::nullopt;
    const PieceType type = model_.pieces[static_cast<size_t>(*id)].type;
    const bool fits = type == PieceType::kNormal || type == PieceType::kUserDefined || type == PieceType::kUnused;
    return fits ? id : std::nullopt;
  }

  void Push(int32_t left, int32_t right) {
    if (left == -1 || right == -1 || At(left).frozen || At(right).frozen) return;
    const std::string_view joined(At(left).text.data(), At(left).text.size() + At(right).text.size());
    const std::optional<int32_t> id = Mergeable(joined);
    if (!id) return;
    const SentencePiece& piece = model_.pieces[static_cast<size_t>(*id)];
    heap_.push_back({piece.score, left, right, joined.size()});
    std::push_heap(heap_.begin(), heap_.end(), IsWorse);
    if (piece.type == PieceType::kUnused) parts_.insert_or_assign(joined, std::pair(At(left).text, At(right).text));
  }

  void Merge(const Candidate& top) {
    Symbol& left = At(top.left);
    Symbol& right = At(top.right);
    if (left.text.empty() || right.text.empty() || left.text.size() + right.text.size() != top.length_bytes) return;
    left.text = std::string_view(left.text.data(), top.length_bytes);
    left.next = right.next;
    if (right.next >= 0) At(right.next).previous = top.left;
    right.text = std::string_view();
    Push(left.previous, top.left);
    Push(top.left, left.next);
  }

  // An unused piece helps joining, but is taken apart again in the end.
  void Resolve(std::string_view text, std::vector<std::string_view>& pieces) const {
    std::vector<std::string_view> open{text};
    while (!open.empty()) {
      const std::string_view piece = open.back();
      open.pop_back();
      const auto parts = parts_.find(piece);
      if (parts == parts_.end()) {
        pieces.push_back(piece);
      } else {
        open.push_back(parts->second.second);
        open.push_back(parts->second.first);
      }
    }
  }

  const SentencePieceModel& model_;
  const Vocabulary& vocabulary_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
  std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>> parts_;  // of unused pieces
};

}  // namespace

std::vector<std::string_view> CutIntoPieces(std::string_view text, const SentencePieceModel& model,
                                            const Vocabulary& vocabulary, const ByteTrie& user_symbols) {
  return Merger(text, model, vocabulary, user_symbols).Run();
}

}  // namespace heterosis
