// SPDX-License-Identifier: Apache-2.0
// A path through the layers of two models of different depth computes what transformers' own layers compute when a
// script runs them in that order (make_paths.py), with both meanings of the scales.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/differential/decode/fixture.h"
#include "worker/checkpoint/checkpoint.h"
#include "worker/model/weights.h"

namespace heterosis {
namespace {

class PathDifferentialTest : public testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    RunScript("make_paths.py", folder_->path());
  }
  static void TearDownTestSuite() { folder_.reset(); }

  void SetUp() override {
    const std::string path = *folder_ / GetParam();
    const absl::StatusOr<Json> json = ReadJsonFile(path + "/expected.json");
    ASSERT_TRUE(json.ok()) << json.status();
    expected_ = ExpectedOf(*json);
    for (const char* part : {"a", "b"}) {
      auto checkpoint = Checkpoint::Open(absl::StrCat(path, "/", part));
      ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
      parts_.push_back(*checkpoint);
    }
    path_.scale_applies_to = ScaleTargetFromName(json->at("scale_applies_to").get<std::string>()).value();
    for (const Json& hop : json->at("path")) {
      const int first = hop[0] == 0 ? 0 : Layers(0);
      path_.hops.push_back({first + hop[1].get<int>(), hop[2].get<float>()});
    }
  }

  int Layers(size_t part) const { return static_cast<int>(parts_[part]->config().num_layers); }

  // The first model, with the second one's layers after its own.
  std::unique_ptr<Model> Load(DType compute, bool generic) {
    ModelConfig config = parts_[0]->config();
    config.num_layers = Layers(0) + Layers(1);
    auto model = Model::Create(config, OpenCpu(2), {DType::kFloat32, compute, generic});
    EXPECT_TRUE(model.ok()) << model.status();
    for (const MutableTensor& slot : (*model)->slots()) {
      const int64_t layer = LayerOf(slot.name);
      const bool second = layer >= Layers(0);
      const ConstTensor* from =
          second ? parts_[1]->Find(NameInLayer(slot.name, layer - Layers(0))) : parts_[0]->Find(slot.name);
      EXPECT_NE(from, nullptr) << slot.name;
      CopyConverted(*from, slot);
    }
    EXPECT_TRUE((*model)->WeightsChanged().ok());
    EXPECT_TRUE((*model)->SetPath(path_).ok());
    return std::move(*model);
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  std::vector<std::shared_ptr<const Checkpoint>> parts_;
  PathConfig path_;
  Expected expected_;
};

TEST_P(PathDifferentialTest, LogitsEqualTransformers) {
  ExpectLogits(*Load(DType::kFloat32, false), expected_);
}
TEST_P(PathDifferentialTest, LogitsOfTheGenericPathEqualTransformers) {
  ExpectLogits(*Load(DType::kFloat32, true), expected_);
}
TEST_P(PathDifferentialTest, Bf16LogitsAreAsGoodAsTransformers) {
  ExpectBf16Logits(*Load(DType::kBFloat16, false), expected_);
}
TEST_P(PathDifferentialTest, Bf16LogitsOfTheGenericPathAreAsGoodAsTransformers) {
  ExpectBf16Logits(*Load(DType::kBFloat16, true), expected_);
}
TEST_P(PathDifferentialTest, GreedyTokensEqualTransformers) {
  ExpectGreedy(*Load(DType::kFloat32, false), expected_);
}
TEST_P(PathDifferentialTest, GreedyTokensOfTheGenericPathEqualTransformers) {
  ExpectGreedy(*Load(DType::kFloat32, true), expected_);
}

// The two meanings differ by more than any rounding.
TEST_P(PathDifferentialTest, TheOtherMeaningOfTheScalesGivesOtherLogits) {
  if (!path_.has_scales()) return;
  path_.scale_applies_to = path_.scale_applies_to == ScaleTarget::kStream ? ScaleTarget::kBranch : ScaleTarget::kStream;
  const auto logits = Load(DType::kFloat32, false)->Logits(expected_.prompts[0]);
  ASSERT_TRUE(logits.ok()) << logits.status();
  EXPECT_GT(Distance(*logits, expected_.logits_float32), 0.02);
}

INSTANTIATE_TEST_SUITE_P(Paths, PathDifferentialTest,
                         testing::Values("llama_unscaled", "llama_stream", "llama_branch", "mistral_window_stream",
                                         "mistral_window_branch", "tied_branch", "demo_unscaled", "demo_stream",
                                         "demo_branch"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace heterosis
