// SPDX-License-Identifier: Apache-2.0
// The content of a SentencePiece tokenizer.model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heterosis {

enum class PieceType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct SentencePiece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::kNormal;
};

struct SentencePieceModel {
  std::vector<SentencePiece> pieces;  // by id
  int32_t unknown_id = -1;            // exactly one piece has kUnknown
  bool byte_fallback = false;         // then all 256 byte pieces exist

  std::string unknown_surface = " \u2047 ";  // what decoding makes of the unknown piece

  // How text is normalized before it is cut.
  std::string charsmap;  // trie and replacement strings, see sentencepiece_normalizer.h; "" where no rule applies
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// Parses a ModelProto (sentencepiece_model.proto). BPE models only; what we do not support is an error, as are damaged
// files, empty and broken pieces, and scores that are not numbers.
absl::StatusOr<SentencePieceModel> ParseSentencePieceModel(std::string_view message);

}  // namespace heterosis
