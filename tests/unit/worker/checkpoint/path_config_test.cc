// SPDX-License-Identifier: Apache-2.0
// The keys of a data-flow model in config.json: written and read again, and what is refused.
#include "worker/checkpoint/path_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shared.h"
#include "tests/unit/worker/checkpoint/fixture.h"
#include "worker/checkpoint/checkpoint.h"

namespace heterosis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PathConfigTest : public testing::Test {
 protected:
  static PathConfig Path() { return {{{0, 1}, {1, 0.93f}, {2, -0.5f}, {1, 1}, {0, 1.25f}}, ScaleTarget::kBranch}; }
  static Json Written() {
    Json json = TinyConfig();
    WritePathConfig(Path(), "MistralForCausalLM", json);
    return json;
  }
  std::string Error(const Json& json) {
    WriteText(folder_ / "config.json", JsonText(json));
    return std::string(ReadModelConfig(folder_.path()).status().message());
  }

  TemporaryFolder folder_;
};

TEST_F(PathConfigTest, WhatIsWrittenIsReadAgain) {
  const ModelConfig config = ConfigOf(folder_.path(), Written());
  EXPECT_EQ(config.path, Path());
  EXPECT_EQ(config.num_layers, 3);
  EXPECT_EQ(config.architecture, "MistralForCausalLM");
  EXPECT_EQ(Written()["num_hidden_layers"], 5);
  EXPECT_TRUE(config.path.has_scales());
}

TEST_F(PathConfigTest, AFolderHoldsTheStoredLayersOnly) {
  WriteTinyModel(folder_.path(), Written(), DType::kFloat32);
  const auto checkpoint = Checkpoint::Open(folder_.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_NE((*checkpoint)->Find("model.layers.2.mlp.up_proj.weight"), nullptr);
  EXPECT_EQ((*checkpoint)->Find("model.layers.3.mlp.up_proj.weight"), nullptr);
}

TEST_F(PathConfigTest, AnOrdinaryModelHasNoPath) {
  const ModelConfig config = ConfigOf(folder_.path(), TinyConfig());
  EXPECT_TRUE(config.path.hops.empty());
  EXPECT_FALSE(config.path.has_scales());
  Json deeper = TinyConfig();
  deeper["layer_types"] = {"full_attention", "full_attention"};
  WritePlainDepth(7, deeper);
  EXPECT_EQ(deeper["num_hidden_layers"], 7);
  EXPECT_FALSE(deeper.contains("layer_types"));
}

TEST_F(PathConfigTest, BrokenKeysAreRefused) {
  const auto with = [](const char* key, const Json& value) {
    Json json = Written();
    json[key] = value;
    return json;
  };
  EXPECT_THAT(Error(with("heterosis_path", {0, 1})), AllOf(HasSubstr("config.json"), HasSubstr("list of 5 numbers")));
  EXPECT_THAT(Error(with("heterosis_path", {0, 1, "2", 1, 0})), HasSubstr("hop 2 must be the number of a layer"));
  EXPECT_THAT(Error(with("heterosis_path", {0, 1, 5, 1, 0})), HasSubstr("hop 2 must be the number of a layer"));
  EXPECT_THAT(Error(with("heterosis_path", {0, -1, 2, 1, 0})), HasSubstr("hop 1 must be the number of a layer"));
  EXPECT_THAT(Error(with("heterosis_path", {0, 3, 3, 1, 0})), HasSubstr("skips layer 2 and names layer 3"));
  EXPECT_THAT(Error(with("heterosis_scales", {1, 1, nullptr, 1, 1})), HasSubstr("hop 2 must be a finite number"));
  EXPECT_THAT(Error(with("heterosis_scales", {1, 1, 1e300, 1, 1})), HasSubstr("hop 2 must be a finite number"));
  EXPECT_THAT(Error(with("heterosis_scales", 3)), HasSubstr("\"heterosis_scales\" must be a list"));
  EXPECT_THAT(Error(with("heterosis_scale_applies_to", "all")), HasSubstr("all"));
  EXPECT_THAT(Error(with("heterosis_architecture", "GPT2LMHeadModel")), HasSubstr("GPT2LMHeadModel is not supported"));
}

TEST_F(PathConfigTest, TheModelingFileIsOfTheLayersFamily) {
  const std::string llama = ModelingText("LlamaForCausalLM"), mistral = ModelingText("MistralForCausalLM");
  EXPECT_THAT(llama, AllOf(HasSubstr("class HeterosisForCausalLM(LlamaForCausalLM)"), Not(HasSubstr("istral"))));
  EXPECT_THAT(mistral, AllOf(HasSubstr("class HeterosisForCausalLM(MistralForCausalLM)"), Not(HasSubstr("lama")),
                             Not(HasSubstr("NAME")), Not(HasSubstr("FAMILY"))));
}

}  // namespace
}  // namespace heterosis
