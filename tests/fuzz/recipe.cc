// SPDX-License-Identifier: Apache-2.0
// A recipe's JSON: what is accepted is written as text that means the same.
#include "common/genome/recipe.h"

#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const auto json = ParseJson(AsText(data, size));
  if (!json.ok()) return 0;
  const auto recipe = RecipeFromJson(*json);
  if (!recipe.ok() || !ValidateRecipe(*recipe).ok()) return 0;
  const auto again = RecipeFromJson(RecipeToJson(*recipe));
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(RecipeDigest(*again) == RecipeDigest(*recipe));
  const auto sent = FromWire(ToWire(*recipe));
  FUZZ_CHECK(sent.ok());
  FUZZ_CHECK(RecipeDigest(*sent) == RecipeDigest(*recipe));
  return 0;
}
