// SPDX-License-Identifier: Apache-2.0
// An answer's JSON: the keys that docs/cli.md promises, in their order.
#include "common/trial/result_json.h"

#include "gtest/gtest.h"

namespace heterosis {
namespace {

TEST(ResultJson, HasTheQuestionTheAnswerAndTheVerdict) {
  const SampleResult result{.sample = 3,
                            .correct = false,
                            .number_ok = true,
                            .language_ok = false,
                            .text = "It is 7",
                            .answer = "7",
                            .prompt_tokens = 11,
                            .new_tokens = 4,
                            .finish = FinishReason::kStop};
  EXPECT_EQ(JsonText(ResultToJson(result, {.question = "3+4?", .answer = "7"})),
            R"({"sample":3,"question":"3+4?","expected":"7","text":"It is 7","answer":"7","correct":false,)"
            R"("number_ok":true,"language_ok":false,"prompt_tokens":11,"new_tokens":4,"finish":"stop"})");
}

}  // namespace
}  // namespace heterosis
