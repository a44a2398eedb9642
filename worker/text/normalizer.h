// SPDX-License-Identifier: Apache-2.0
// The "normalizer" of tokenizer.json: rewrites text before it is cut into pieces.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

// Immutable and thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` must be valid UTF-8, and so is what comes back.
  virtual std::string Apply(std::string_view text) const = 0;
};

// Knows Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase and Strip; `place` names `value` in errors. A null
// `value` does nothing.
absl::StatusOr<std::unique_ptr<Normalizer>> MakeNormalizer(const Json& value, const std::string& place);

}  // namespace heterosis
