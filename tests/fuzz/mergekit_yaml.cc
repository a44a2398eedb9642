// SPDX-License-Identifier: Apache-2.0
// mergekit's YAML files: what is accepted must be a valid recipe that can be written and read again.
#include "common/genome/mergekit_yaml.h"

#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const auto file = MergekitFile::Parse(AsText(data, size), "fuzz.yaml");
  if (!file.ok()) return 0;
  const MergekitModelFacts facts{
      .num_layers = 3,
      .tensors = {"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight",
                  "model.layers.1.self_attn.q_proj.weight", "model.layers.2.input_layernorm.weight", "lm_head.weight"}};
  const auto recipe = file->ToRecipe(facts);
  if (!recipe.ok()) return 0;
  FUZZ_CHECK(ValidateRecipe(*recipe).ok());
  const auto text = MergekitText(*recipe, file->models());
  if (!text.ok()) return 0;
  const auto written = MergekitFile::Parse(*text, "written.yaml");
  FUZZ_CHECK(written.ok());
  const auto again = written->ToRecipe(facts);
  FUZZ_CHECK(again.ok());
  return 0;
}
