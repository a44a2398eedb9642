// SPDX-License-Identifier: Apache-2.0
// A file of problems, in each of its formats; the first byte chooses the format.
#include "common/dataset/dataset.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  if (size == 0) return 0;
  const bool is_tsv = data[0] == 't';
  DataSetOptions options;
  options.path = WriteScratch(is_tsv ? "problems.tsv" : "problems.jsonl", AsText(data + 1, size - 1));
  if (is_tsv) {
    options.question = "0";
    options.answer = "1";
  }
  const auto problems = ReadProblems(options);
  if (!problems.ok()) return 0;
  FUZZ_CHECK(!problems->empty());
  for (const Problem& problem : *problems) FUZZ_CHECK(!problem.question.empty() && !problem.answer.empty());
  return 0;
}
