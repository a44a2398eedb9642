// SPDX-License-Identifier: Apache-2.0
// Greedy answers of trained models equal the ones that transformers gave (shared/demo), in f32 with our kernels and
// through ATen, whatever the batch.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/decode/decode.h"
#include "worker/model/model.h"
#include "worker/text/tokenizer.h"

namespace heterosis {
namespace {

struct Sample {
  std::vector<int32_t> prompt;
  Json greedy;  // model name -> text
};

class GoldenGreedyTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string path = SharedPath("demo/ja_arith_test.jsonl");
    if (path.empty()) GTEST_SKIP() << kNoShared;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const auto json = ParseJson(line);
      ASSERT_TRUE(json.ok()) << json.status();
      samples_.push_back({json->at("prompt_ids").get<std::vector<int32_t>>(), json->at("hf_greedy")});
    }
    ASSERT_EQ(samples_.size(), 200);
  }

  // Decodes all samples and counts the answers that equal transformers'.
  void ExpectAnswers(bool generic, int batch_size) {
    const std::string folder = SharedPath("demo/" + std::string(GetParam()));
    const auto checkpoint = Checkpoint::Open(folder);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    const ModelConfig& config = (*checkpoint)->config();
    const auto tokenizer = LoadTokenizer(folder);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    auto model = Model::Create(config, OpenCpu(2), {.generic = generic});
    ASSERT_TRUE(model.ok()) << model.status();
    const absl::Status loaded = (*model)->LoadFrom(**checkpoint);
    ASSERT_TRUE(loaded.ok()) << loaded;
    std::vector<DecodeRequest> requests;
    for (const Sample& sample : samples_) requests.push_back({sample.prompt});
    const DecodeOptions options{.max_new_tokens = 40, .eos = config.eos_token_ids, .batch_size = batch_size};
    const auto outputs = Decode(**model, requests, options, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (size_t i = 0; i < samples_.size(); ++i) {
      EXPECT_EQ((*outputs)[i].finish, FinishReason::kEos) << i;
      std::string text = (*tokenizer)->Decode((*outputs)[i].tokens, true);
      text.erase(0, text.find_first_not_of(' '));
      EXPECT_EQ(text, samples_[i].greedy[GetParam()].get<std::string>()) << i;
    }
  }

  std::vector<Sample> samples_;
};

TEST_P(GoldenGreedyTest, AnswersEqualTransformers) {
  ExpectAnswers(false, 64);
}
TEST_P(GoldenGreedyTest, AnswersInALargeBatchEqualTransformers) {
  ExpectAnswers(false, 200);
}
TEST_P(GoldenGreedyTest, AnswersOfTheGenericPathEqualTransformers) {
  ExpectAnswers(true, 32);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenGreedyTest, testing::Values("base", "ja", "math"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace heterosis
