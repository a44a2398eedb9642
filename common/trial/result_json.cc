// SPDX-License-Identifier: Apache-2.0
// Implements result_json.h.
#include "common/trial/result_json.h"

namespace heterosis {

Json ResultToJson(const SampleResult& result, const Problem& problem) {
  return {{"sample", result.sample},
          {"question", problem.question},
          {"expected", problem.answer},
          {"text", result.text},
          {"answer", result.answer},
          {"correct", result.correct},
          {"number_ok", result.number_ok},
          {"language_ok", result.language_ok},
          {"prompt_tokens", result.prompt_tokens},
          {"new_tokens", result.new_tokens},
          {"finish", std::string(Name(result.finish))}};
}

}  // namespace heterosis
