// SPDX-License-Identifier: Apache-2.0
// Logits and greedy tokens equal transformers', live, for small random models of every configuration that is supported
// and for the demo's models: our kernels and the ATen path alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/decode/decode.h"
#include "worker/model/model.h"

namespace heterosis {
namespace {

using testing::ElementsAreArray;

struct Expected {
  std::vector<std::vector<int32_t>> prompts;
  int new_tokens = 0;
  std::vector<std::vector<int32_t>> greedy;
  std::vector<float> logits_float32, logits_bfloat16;
};

std::vector<float> Flatten(const Json& rows) {
  std::vector<float> flat;
  for (const Json& row : rows) {
    for (const Json& value : row) flat.push_back(value.get<float>());
  }
  return flat;
}

// Root of the mean square of a - b.
double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

class DecodeDifferentialTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    const std::string command = "OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 " + DepsPath("venv/bin/python") +
                                " tests/differential/decode/make_models.py " + folder_->path() + " >&2";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override {
    const std::string path = *folder_ / GetParam();
    absl::StatusOr<std::shared_ptr<const Checkpoint>> checkpoint = Checkpoint::Open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    checkpoint_ = *checkpoint;
    const absl::StatusOr<Json> json = ReadJsonFile(path + "/expected.json");
    ASSERT_TRUE(json.ok()) << json.status();
    expected_.prompts = json->at("prompts").get<std::vector<std::vector<int32_t>>>();
    expected_.new_tokens = json->at("new_tokens").get<int>();
    expected_.greedy = json->at("greedy").get<std::vector<std::vector<int32_t>>>();
    expected_.logits_float32 = Flatten(json->at("logits_float32"));
    expected_.logits_bfloat16 = Flatten(json->at("logits_bfloat16"));
  }

  std::unique_ptr<Model> Load(DType compute, bool generic) {
    auto model = Model::Create(checkpoint_->config(), OpenCpu(2), {DType::kFloat32, compute, generic});
    EXPECT_TRUE(model.ok()) << model.status();
    const absl::Status loaded = (*model)->LoadFrom(*checkpoint_);
    EXPECT_TRUE(loaded.ok()) << loaded;
    return std::move(*model);
  }

  void ExpectLogits(bool generic) {
    const auto logits = Load(DType::kFloat32, generic)->Logits(expected_.prompts[0]);
    ASSERT_TRUE(logits.ok()) << logits.status();
    ASSERT_EQ(logits->size(), expected_.logits_float32.size());
    const size_t vocabulary = static_cast<size_t>(checkpoint_->config().vocab_size);
    for (size_t i = 0; i < logits->size(); ++i) {
      ASSERT_NEAR((*logits)[i], expected_.logits_float32[i],
                  1e-4 * std::max(1.0f, std::abs(expected_.logits_float32[i])))
          << "token " << i / vocabulary << ", logit " << i % vocabulary;
    }
  }

  // No further from the f32 logits than transformers' bf16 is (half as far again for luck).
  void ExpectBf16Logits(bool generic) {
    const auto logits = Load(DType::kBFloat16, generic)->Logits(expected_.prompts[0]);
    ASSERT_TRUE(logits.ok()) << logits.status();
    const double theirs = Distance(expected_.logits_bfloat16, expected_.logits_float32);
    EXPECT_GT(theirs, 0);
    EXPECT_LT(Distance(*logits, expected_.logits_float32), 1.5 * theirs);
  }

  // Whether both tokens are as likely as can be told in f32 after `prefix`.
  static bool AreTied(Model& model, const std::vector<int32_t>& prefix, int32_t a, int32_t b) {
    const auto logits = model.Logits(prefix);
    const size_t last = logits->size() - static_cast<size_t>(model.config().vocab_size);
    return std::abs((*logits)[last + static_cast<size_t>(a)] - (*logits)[last + static_cast<size_t>(b)]) < 2e-4;
  }

  void ExpectGreedy(bool generic) {
    std::unique_ptr<Model> model = Load(DType::kFloat32, generic);
    std::vector<DecodeRequest> requests;
    for (const auto& prompt : expected_.prompts) requests.push_back({prompt});
    const DecodeOptions options{.max_new_tokens = expected_.new_tokens, .eos = {2}, .batch_size = 3};
    const auto outputs = Decode(*model, requests, options, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    for (size_t i = 0; i < requests.size(); ++i) {
      std::vector<int32_t> tokens = (*outputs)[i].tokens;
      if ((*outputs)[i].finish == FinishReason::kEos) tokens.push_back(2);
      const std::vector<int32_t>& theirs = expected_.greedy[i];
      size_t same = 0;
      while (same < std::min(tokens.size(), theirs.size()) && tokens[same] == theirs[same]) ++same;
      if (same < std::min(tokens.size(), theirs.size())) {
        std::vector<int32_t> prefix = expected_.prompts[i];
        prefix.insert(prefix.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(same));
        if (AreTied(*model, prefix, tokens[same], theirs[same])) continue;
      }
      EXPECT_THAT(tokens, ElementsAreArray(theirs)) << "prompt " << i;
    }
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  Expected expected_;
};

TEST_P(DecodeDifferentialTest, LogitsEqualTransformers) {
  ExpectLogits(false);
}
TEST_P(DecodeDifferentialTest, LogitsOfTheGenericPathEqualTransformers) {
  ExpectLogits(true);
}
TEST_P(DecodeDifferentialTest, Bf16LogitsAreAsGoodAsTransformers) {
  ExpectBf16Logits(false);
}
TEST_P(DecodeDifferentialTest, Bf16LogitsOfTheGenericPathAreAsGoodAsTransformers) {
  ExpectBf16Logits(true);
}
TEST_P(DecodeDifferentialTest, GreedyTokensEqualTransformers) {
  ExpectGreedy(false);
}
TEST_P(DecodeDifferentialTest, GreedyTokensOfTheGenericPathEqualTransformers) {
  ExpectGreedy(true);
}

INSTANTIATE_TEST_SUITE_P(Models, DecodeDifferentialTest,
                         testing::Values("llama_plain", "llama_tied_one_kv_head", "llama_biases", "llama_odd_sizes",
                                         "llama_linear", "llama_dynamic", "llama_yarn", "llama_llama3",
                                         "llama_tied_bf16", "llama_yarn_mscale", "llama_large_theta",
                                         "mistral_group_of_four", "mistral_window", "mistral_window_of_two",
                                         "mistral_tied", "demo_base", "demo_ja", "demo_math"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace heterosis
