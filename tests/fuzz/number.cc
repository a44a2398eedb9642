// SPDX-License-Identifier: Apache-2.0
// The number that an answer ends in: its text must be a plain decimal that reads as its value.
#include "common/scoring/number.h"

#include <cmath>

#include "common/dataset/decimal.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const std::string_view text = AsText(data, size);
  for (const NumberMode mode : {NumberMode::kPaper, NumberMode::kRobust}) {
    const auto number = ExtractNumber(text, mode);
    if (!number.has_value()) continue;
    FUZZ_CHECK(!number->text.empty() && !std::isnan(number->value));
    FUZZ_CHECK(number->text.find_first_not_of("-.0123456789") == std::string::npos);
  }
  return 0;
}
