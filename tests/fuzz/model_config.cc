// SPDX-License-Identifier: Apache-2.0
// A model's config.json: what is accepted must be a model whose tensors can be listed.
#include "worker/checkpoint/model_config.h"

#include "common/config/model_folder.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  WriteScratch("config.json", AsText(data, size));
  (void)ReadModelShape(ScratchFolder());
  const auto config = ReadModelConfig(ScratchFolder());
  if (!config.ok()) return 0;
  FUZZ_CHECK(config->num_layers > 0 && config->hidden_size > 0 && config->vocab_size > 0);
  if (config->num_layers < 1000) FUZZ_CHECK(!ExpectedTensors(*config).empty());
  return 0;
}
