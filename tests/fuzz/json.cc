// SPDX-License-Identifier: Apache-2.0
// JSON of every kind goes through ParseJson: what it takes it must write and take again.
#include "common/base/json.h"

#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const auto value = ParseJson(AsText(data, size));
  if (!value.ok()) return 0;
  const std::string text = JsonText(*value);
  const auto again = ParseJson(text);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(JsonText(*again) == text);
  return 0;
}
