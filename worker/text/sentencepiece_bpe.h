// SPDX-License-Identifier: Apache-2.0
// SentencePiece's byte-pair encoding: of all neighbours whose joined text is a piece, the best-scored join first.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "worker/text/byte_trie.h"
#include "worker/text/sentencepiece_model.h"
#include "worker/text/vocabulary.h"

namespace heterosis {

// The stretches of `text` (normalized) that stand for one piece each, in order; a stretch may be no piece at all.
// Characters in `user_symbols` are not joined with others. Takes O(n log n).
std::vector<std::string_view> CutIntoPieces(std::string_view text, const SentencePieceModel& model,
                                            const Vocabulary& vocabulary, const ByteTrie& user_symbols);

}  // namespace heterosis
