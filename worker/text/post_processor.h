// SPDX-License-Identifier: Apache-2.0
// The "post_processor" of tokenizer.json: the special tokens put round an encoded text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace heterosis {

struct SpecialTokenFrame {
  std::vector<int32_t> before, after;
};

// Knows TemplateProcessing, ByteLevel (which leaves ids alone), Sequence and null; `place` names `value` in errors.
absl::StatusOr<SpecialTokenFrame> ReadPostProcessor(const Json& value, const std::string& place);

}  // namespace heterosis
