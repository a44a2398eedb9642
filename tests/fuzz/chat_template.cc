// SPDX-License-Identifier: Apache-2.0
// A chat template (Jinja), as it comes with a model: rendered or refused.
#include "worker/text/chat_template.h"

#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  (void)RenderChatTemplate(AsText(data, size), {{"system", "be brief"}, {"user", "1 + 1?"}},
                           {.add_generation_prompt = true, .bos_token = "<s>", .eos_token = "</s>"});
  return 0;
}
