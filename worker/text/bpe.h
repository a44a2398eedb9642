// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding with ranked merges, the "model" of tokenizer.json.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/text/json_fields.h"
#include "worker/text/vocabulary.h"

namespace heterosis {

// The merge rules: (left id, right id) -> rank and merged id. Open addressing, for speed in the inner loop.
class MergeTable {
 public:
  struct Rule {
    uint32_t rank;
    int32_t merged;
  };
  void Reserve(size_t count);
  // A pair given again takes the later rule. Reserve must have made room.
  void Insert(int32_t left, int32_t right, Rule rule);
  const Rule* Find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t key;
    Rule rule;
  };
  size_t SlotOf(uint64_t key) const;
  std::vector<Slot> slots_;
};

// Immutable and thread-safe.
class BpeModel {
 public:
  // Reads the object "model". Types other than BPE, dropout and affixes are refused.
  static absl::StatusOr<BpeModel> Read(const JsonFields& model);

  // Appends the ids of one piece of text (valid UTF-8). Takes O(n log n).
  void Encode(std::string_view piece, std::vector<int32_t>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  absl::Status ReadVocabulary(const JsonFields& model);
  absl::Status ReadMerges(const JsonFields& model);
  absl::Status ReadOptions(const JsonFields& model);
  void FirstSymbols(std::string_view piece, std::vector<int32_t>& ids) const;
  std::optional<int32_t> IdOfCharacter(char32_t value, std::string_view bytes) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::vector<int32_t> character_ids_;  // of the characters below U+10000; -1: no token
  std::array<int32_t, 256> byte_ids_;   // of <0x00> ... <0xFF>; -1: no token
  std::optional<int32_t> unknown_id_;
  bool byte_fallback_ = false;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace heterosis
