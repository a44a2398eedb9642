// SPDX-License-Identifier: Apache-2.0
// The small JSON files of a model's folder, the input as each of them. What is accepted as config.json must be a model
// whose tensors can be listed; what is accepted beside a tokenizer, a tokenizer that encodes and decodes.
#include "worker/checkpoint/model_config.h"

#include "common/config/model_folder.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"
#include "worker/text/sentencepiece_tokenizer.h"
#include "worker/text/tokenizer_files.h"

namespace heterosis {
namespace {

constexpr char kTokenizer[] = "tests/fuzz/corpus/tokenizer_model/bpe";

void ReadConfig() {
  (void)ReadModelShape(ScratchFolder());
  const auto config = ReadModelConfig(ScratchFolder());
  if (!config.ok()) return;
  FUZZ_CHECK(config->num_layers > 0 && config->hidden_size > 0 && config->vocab_size > 0);
  if (config->num_layers < 1000) FUZZ_CHECK(!ExpectedTensors(*config).empty());
}

void ReadBesideTokenizer() {
  const auto files = ReadTokenizerFiles(ScratchFolder());
  if (!files.ok()) return;
  const auto tokenizer = SentencePieceTokenizer::Load(kTokenizer, *files);
  if (!tokenizer.ok()) return;
  const std::vector<int32_t> ids = (*tokenizer)->Encode("<s> a1 <x>b", true);
  for (const int32_t id : ids) FUZZ_CHECK(id >= 0 && id < (*tokenizer)->vocab_size());
  (void)(*tokenizer)->Decode(ids, false);
}

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  for (const char* name : {"config.json", "tokenizer_config.json", "added_tokens.json"}) {
    WriteScratch(name, AsText(data, size));
  }
  ReadConfig();
  ReadBesideTokenizer();
  return 0;
}
