// SPDX-License-Identifier: Apache-2.0
// Implements splitting.h.
#include "worker/text/splitting.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/utf8.h"

namespace heterosis {
namespace {

// Each match joins the stretch before it, unless that is a match too; `stretches` may run backwards.
std::vector<Regex::Match> MergeIntoPrevious(std::vector<Stretch> stretches, bool backwards) {
  if (backwards) std::reverse(stretches.begin(), stretches.end());
  std::vector<Regex::Match> pieces;
  bool previous_match = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.is_match && !previous_match && !pieces.empty()) {
      (backwards ? pieces.back().begin : pieces.back().end) = backwards ? stretch.begin : stretch.end;
    } else {
      pieces.push_back({stretch.begin, stretch.end});
    }
    previous_match = stretch.is_match;
  }
  if (backwards) std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

// Neighbours of the same kind become one piece.
std::vector<Regex::Match> JoinEqualNeighbours(const std::vector<Stretch>& stretches) {
  std::vector<Regex::Match> pieces;
  bool previous_match = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.is_match == previous_match && !pieces.empty()) {
      pieces.back().end = stretch.end;
    } else {
      pieces.push_back({stretch.begin, stretch.end});
    }
    previous_match = stretch.is_match;
  }
  return pieces;
}

}  // namespace

absl::StatusOr<DelimiterBehavior> ReadDelimiterBehavior(const JsonFields& owner, std::string_view key) {
  ASSIGN_OR_RETURN(const std::string name, owner.String(key));
  if (name == "Removed") return DelimiterBehavior::kRemoved;
  if (name == "Isolated") return DelimiterBehavior::kIsolated;
  if (name == "MergedWithPrevious") return DelimiterBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return DelimiterBehavior::kMergedWithNext;
  if (name == "Contiguous") return DelimiterBehavior::kContiguous;
  return owner.ErrorAt(key, absl::StrCat("the behavior \"", name, "\" is not supported"));
}

std::vector<Stretch> StretchesOf(size_t text_bytes, const std::vector<Regex::Match>& matches, bool invert) {
  std::vector<Stretch> stretches;
  stretches.reserve(matches.size() * 2 + 1);
  size_t at = 0;
  for (const Regex::Match& match : matches) {
    if (at != match.begin) stretches.push_back({at, match.begin, invert});
    stretches.push_back({match.begin, match.end, !invert});
    at = match.end;
  }
  if (at != text_bytes) stretches.push_back({at, text_bytes, invert});
  return stretches;
}

std::vector<Stretch> StretchesOfCharacters(std::string_view text, const std::function<bool(char32_t)>& is_match) {
  std::vector<Regex::Match> matches;
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = DecodeUtf8(text, i);
    if (is_match(point.value)) matches.push_back({i, i + point.length_bytes});
    i += point.length_bytes;
  }
  return StretchesOf(text.size(), matches, false);
}

std::vector<Regex::Match> Cut(const std::vector<Stretch>& stretches, DelimiterBehavior behavior) {
  switch (behavior) {
    case DelimiterBehavior::kMergedWithPrevious:
      return MergeIntoPrevious(stretches, false);
    case DelimiterBehavior::kMergedWithNext:
      return MergeIntoPrevious(stretches, true);
    case DelimiterBehavior::kContiguous:
      return JoinEqualNeighbours(stretches);
    case DelimiterBehavior::kIsolated:
    case DelimiterBehavior::kRemoved:
      break;
  }
  std::vector<Regex::Match> pieces;
  pieces.reserve(stretches.size());
  for (const Stretch& stretch : stretches) {
    if (behavior == DelimiterBehavior::kIsolated || !stretch.is_match) pieces.push_back({stretch.begin, stretch.end});
  }
  return pieces;
}

}  // namespace heterosis
