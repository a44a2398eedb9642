// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json: what is accepted must encode any text, and decode its own ids.
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"
#include "worker/text/json_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const auto tokenizer = JsonTokenizer::Load(WriteScratch("tokenizer.json", AsText(data, size)), TokenizerFiles{});
  if (!tokenizer.ok()) return 0;
  const std::vector<int32_t> ids = (*tokenizer)->Encode("<s> a1 \xe3\x81\x82\xff\nb<|x|>", true);
  for (const int32_t id : ids) FUZZ_CHECK(id >= 0 && id < (*tokenizer)->vocab_size());
  (void)(*tokenizer)->Decode(ids, false);
  return 0;
}
