// SPDX-License-Identifier: Apache-2.0
// The options of Metaspace, which stands in tokenizer.json both as a pre-tokenizer and as a decoder.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "worker/text/json_fields.h"

namespace heterosis {

// U+2581, which stands for a space in SentencePiece's tokens.
inline constexpr char kSpaceSymbol[] = "\u2581";

struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement = kSpaceSymbol;  // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};

// Older files have add_prefix_space in the place of prepend_scheme.
absl::StatusOr<Metaspace> ReadMetaspace(const JsonFields& fields);

}  // namespace heterosis
