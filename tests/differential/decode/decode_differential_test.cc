// SPDX-License-Identifier: Apache-2.0
// Logits and greedy tokens equal transformers', live, for small random models of every configuration that is supported
// and for the demo's models: our kernels and the ATen path alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/differential/decode/fixture.h"
#include "worker/checkpoint/checkpoint.h"

namespace heterosis {
namespace {

class DecodeDifferentialTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    RunScript("make_models.py", folder_->path());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override {
    const std::string path = *folder_ / GetParam();
    absl::StatusOr<std::shared_ptr<const Checkpoint>> checkpoint = Checkpoint::Open(path);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    checkpoint_ = *checkpoint;
    const absl::StatusOr<Json> json = ReadJsonFile(path + "/expected.json");
    ASSERT_TRUE(json.ok()) << json.status();
    expected_ = ExpectedOf(*json);
  }

  std::unique_ptr<Model> Load(DType compute, bool generic) {
    auto model = Model::Create(checkpoint_->config(), OpenCpu(2), {DType::kFloat32, compute, generic});
    EXPECT_TRUE(model.ok()) << model.status();
    const absl::Status loaded = (*model)->LoadFrom(*checkpoint_);
    EXPECT_TRUE(loaded.ok()) << loaded;
    return std::move(*model);
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  std::shared_ptr<const Checkpoint> checkpoint_;
  Expected expected_;
};

TEST_P(DecodeDifferentialTest, LogitsEqualTransformers) {
  ExpectLogits(*Load(DType::kFloat32, false), expected_);
}
TEST_P(DecodeDifferentialTest, LogitsOfTheGenericPathEqualTransformers) {
  ExpectLogits(*Load(DType::kFloat32, true), expected_);
}
TEST_P(DecodeDifferentialTest, Bf16LogitsAreAsGoodAsTransformers) {
  ExpectBf16Logits(*Load(DType::kBFloat16, false), expected_);
}
TEST_P(DecodeDifferentialTest, Bf16LogitsOfTheGenericPathAreAsGoodAsTransformers) {
  ExpectBf16Logits(*Load(DType::kBFloat16, true), expected_);
}
TEST_P(DecodeDifferentialTest, GreedyTokensEqualTransformers) {
  ExpectGreedy(*Load(DType::kFloat32, false), expected_);
}
TEST_P(DecodeDifferentialTest, GreedyTokensOfTheGenericPathEqualTransformers) {
  ExpectGreedy(*Load(DType::kFloat32, true), expected_);
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
