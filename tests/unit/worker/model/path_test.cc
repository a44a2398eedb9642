// SPDX-License-Identifier: Apache-2.0
// Paths through the layers: what a path computes is what a deeper model with the same layers computes, bit for bit, on
// both engines; scales of powers of two can be moved into such a model's weights without rounding.
#include "worker/model/path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/worker/model/fixture.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

constexpr int64_t kLayers = 3;
constexpr size_t kPrefix = std::string_view("model.layers.").size();

ModelConfig PathTestConfig() {
  ModelConfig config = SmallConfig();
  config.num_layers = kLayers;
  config.attention_bias = true;
  config.mlp_bias = true;
  config.rms_norm_eps = 0;  // so that a norm forgets factors of two exactly
  return config;
}

PathConfig Through(const std::vector<int>& layers, ScaleTarget target = ScaleTarget::kStream,
                   const std::vector<float>& scales = {}) {
  PathConfig path;
  path.scale_applies_to = target;
  for (size_t i = 0; i < layers.size(); ++i) path.hops.push_back({layers[i], scales.empty() ? 1.0f : scales[i]});
  return path;
}

// The hop that a tensor of the deeper model belongs to, or -1.
int HopOf(const std::string& name) {
  int hop = -1;
  if (name.starts_with("model.layers.")) {
    EXPECT_TRUE(absl::SimpleAtoi(name.substr(kPrefix, name.find('.', kPrefix) - kPrefix), &hop));
  }
  return hop;
}

// A plain model whose layers are those of `model` along the path; `factor(hop, part)` multiplies what a hop's tensor
// adds to the state (part "o_proj" or "down_proj"; hop -1: the embedding).
std::unique_ptr<Model> Deeper(const Model& model, const std::vector<int>& layers, int threads,
                              const ModelOptions& options,
                              const std::function<float(int, std::string_view)>& factor = nullptr) {
  ModelConfig config = PathTestConfig();
  config.num_layers = static_cast<int64_t>(layers.size());
  std::unique_ptr<Model> deeper = MakeModel(config, threads, options);
  for (const MutableTensor& slot : deeper->slots()) {
    const int hop = HopOf(slot.name);
    const std::string name = hop < 0 ? slot.name
                                     : absl::StrCat("model.layers.", layers[static_cast<size_t>(hop)],
                                                    slot.name.substr(slot.name.find('.', kPrefix)));
    float by = 1;
    for (const std::string_view part : {"o_proj", "down_proj", "embed_tokens"}) {
      if (factor && name.find(part) != name.npos) by = factor(hop, part);
    }
    for (const MutableTensor& from : model.slots()) {
      if (from.name != name) continue;
      Fill(slot, [&](int64_t i) {
        float value = 0;
        ReadFloats(from, i, {&value, 1});
        return value * by;
      });
    }
  }
  EXPECT_TRUE(deeper->WeightsChanged().ok());
  return deeper;
}

std::vector<float> Logits(Model& model, const std::vector<int32_t>& tokens) {
  const auto logits = model.Logits(tokens);
  EXPECT_TRUE(logits.ok()) << logits.status();
  return logits.value_or(std::vector<float>());
}

class PathTest : public testing::TestWithParam<std::tuple<DType, bool, int>> {
 protected:
  static ModelOptions Options() { return {.compute = std::get<0>(GetParam()), .generic = std::get<1>(GetParam())}; }
  static int Threads() { return std::get<2>(GetParam()); }

  static std::unique_ptr<Model> Small() { return RandomModel(PathTestConfig(), Threads(), Options()); }
  static void Take(Model& model, const PathConfig& path) {
    const absl::Status status = model.SetPath(path);
    ASSERT_TRUE(status.ok()) << status;
  }

  const std::vector<int32_t> tokens_ = RandomTokens(3, 40, 97);
};

TEST_P(PathTest, TheIdentityIsThePlainModelBitForBit) {
  std::unique_ptr<Model> model = Small();
  const std::vector<float> plain = Logits(*model, tokens_);
  for (const ScaleTarget target : {ScaleTarget::kStream, ScaleTarget::kBranch}) {
    Take(*model, Through({2, 2}));
    EXPECT_NE(Logits(*model, tokens_), plain);
    Take(*model, Through({0, 1, 2}, target));
    EXPECT_EQ(Logits(*model, tokens_), plain);
  }
  EXPECT_EQ(IdentityPath(3), Through({0, 1, 2}));
}

TEST_P(PathTest, RepeatedReorderedAndLeftOutLayersAreADeeperOrAShallowerModelBitForBit) {
  std::unique_ptr<Model> model = Small();
  for (const std::vector<int>& layers :
       {std::vector<int>{0, 1, 1, 0, 2, 1, 0, 2}, {2, 1, 0}, {1}, {0, 2}, {1, 1, 1, 1, 1}}) {
    Take(*model, Through(layers));
    EXPECT_EQ(model->hops(), static_cast<int64_t>(layers.size()));
    EXPECT_EQ(Logits(*model, tokens_), Logits(*Deeper(*model, layers, Threads(), Options()), tokens_));
  }
}

// stream: what was added before a hop is multiplied by its scale, and by those of all later hops.
TEST_P(PathTest, AScaleOfTheStreamMultipliesAllThatCameBefore) {
  const std::vector<int> layers{0, 2, 1, 2, 0};
  const std::vector<float> scales{2, 1, 0.5, 4, 0.25};
  std::unique_ptr<Model> model = Small();
  Take(*model, Through(layers, ScaleTarget::kStream, scales));
  const std::vector<float> logits = Logits(*model, tokens_);
  const auto later = [&](int hop, std::string_view) {
    float product = 1;
    for (size_t i = static_cast<size_t>(hop + 1); i < scales.size(); ++i) product *= scales[i];
    return product;
  };
  EXPECT_EQ(logits, Logits(*Deeper(*model, layers, Threads(), Options(), later), tokens_));
  EXPECT_NE(logits, Logits(*Deeper(*model, layers, Threads(), Options()), tokens_));
}

// branch: the first scale multiplies the embedding, each later one the MLP output of the hop before it.
TEST_P(PathTest, AScaleOfTheBranchMultipliesOnlyTheMlpOutputBeforeIt) {
  const std::vector<int> layers{0, 2, 1, 2, 0};
  const std::vector<float> scales{2, 1, 0.5, -4, 0.25};
  std::unique_ptr<Model> model = Small();
  Take(*model, Through(layers, ScaleTarget::kBranch, scales));
  const std::vector<float> logits = Logits(*model, tokens_);
  const auto next = [&](int hop, std::string_view part) {
    const size_t at = static_cast<size_t>(hop + 1);
    return part == "o_proj" || at == scales.size() ? 1.0f : scales[at];
  };
  EXPECT_EQ(logits, Logits(*Deeper(*model, layers, Threads(), Options(), next), tokens_));
  Take(*model, Through(layers, ScaleTarget::kStream, scales));
  EXPECT_NE(Logits(*model, tokens_), logits);
}

TEST_P(PathTest, EveryHopHasKeysAndValuesOfItsOwn) {
  std::unique_ptr<Model> model = Small();
  Take(*model, Through({0, 1, 1, 0, 2}, ScaleTarget::kBranch, {1, 0.9f, 1.2f, 0.7f, 1}));
  const std::vector<float> logits = Logits(*model, tokens_);
  ASSERT_TRUE(model->ReserveCache(2, 40).ok());
  for (int64_t at = 0; at < 40; ++at) {
    const std::vector<Segment> segments{{1, at, std::span<const int32_t>(tokens_).subspan(static_cast<size_t>(at), 1)}};
    std::vector<NextToken> next(1);
    ASSERT_TRUE(model->Forward(segments, next).ok());
    const auto row = logits.begin() + at * 97;
    const float largest = *std::max_element(row, row + 97);
    if (Options().generic) {
      const float tolerance = Options().compute == DType::kFloat32 ? 1e-4f : 0.1f;
      EXPECT_NEAR(next[0].logit, largest, tolerance * std::max(1.0f, std::abs(largest))) << at;
    } else {
      EXPECT_EQ(next[0].logit, largest) << at;
    }
  }
}

TEST_P(PathTest, TheCacheGrowsWithTheHopsAndKeepsItsMemory) {
  std::unique_ptr<Model> model = Small();
  const size_t plain = model->CacheBytesPerRow(64);
  Take(*model, Through({0, 1, 2, 2, 1, 0}));
  EXPECT_EQ(model->CacheBytesPerRow(64), 2 * plain);
  const std::vector<float> expected = Logits(*model, tokens_);
  ASSERT_TRUE(model->ReserveCache(8, 64).ok());
  const size_t held = model->CacheBytes();
  EXPECT_GE(held, 16 * plain);
  Take(*model, Through({1}));
  EXPECT_EQ(model->CacheBytesPerRow(64), plain / 3);
  ASSERT_TRUE(model->ReserveCache(48, 64).ok());  // as much in all
  EXPECT_EQ(model->CacheBytes(), held);
  Take(*model, Through({0, 1, 2, 2, 1, 0}));
  EXPECT_EQ(Logits(*model, tokens_), expected);
  EXPECT_EQ(model->CacheBytes(), held);
}

TEST_P(PathTest, NothingThatAnotherPathLeftInTheCacheMatters) {
  std::unique_ptr<Model> model = Small();
  Take(*model, Through({0, 2, 2}));
  const std::vector<float> expected = Logits(*model, tokens_);
  Take(*model, Through({2, 1, 0, 1, 2}, ScaleTarget::kStream, {1, std::numeric_limits<float>::max(), 1, 1, 1}));
  Logits(*model, RandomTokens(9, 100, 97));  // fills it with NaN
  Take(*model, Through({0, 2, 2}));
  EXPECT_EQ(Logits(*model, tokens_), expected);
}

TEST_P(PathTest, AfterANewPathTheCacheMustBeReserved) {
  std::unique_ptr<Model> model = Small();
  ASSERT_TRUE(model->ReserveCache(1, 64).ok());
  Take(*model, Through({0}));
  const Segment segment{0, 0, tokens_};
  NextToken next;
  EXPECT_EQ(model->Forward({&segment, 1}, {&next, 1}).code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Engines, PathTest,
                         testing::Combine(testing::Values(DType::kFloat32, DType::kBFloat16), testing::Bool(),
                                          testing::Values(1, 3)),
                         [](const auto& test) {
                           return absl::StrCat(std::string(Name(std::get<0>(test.param))),
                                               std::get<1>(test.param) ? "_aten_" : "_cpu_", std::get<2>(test.param),
                                               "_threads");
                         });

TEST(Path, TheConfigurationsPathIsTakenAtOnce) {
  ModelConfig config = PathTestConfig();
  config.path = Through({2, 0, 2}, ScaleTarget::kBranch, {1, 0.5, 2});
  std::unique_ptr<Model> model = RandomModel(PathTestConfig(), 1), other = RandomModel(config, 1);
  EXPECT_EQ(other->hops(), 3);
  const std::vector<int32_t> tokens = RandomTokens(3, 10, 97);
  EXPECT_NE(Logits(*other, tokens), Logits(*model, tokens));
  ASSERT_TRUE(model->SetPath(config.path).ok());
  EXPECT_EQ(Logits(*other, tokens), Logits(*model, tokens));
}

TEST(Path, AWrongPathIsRefusedAndTheOldOneStays) {
  std::unique_ptr<Model> model = RandomModel(PathTestConfig(), 1);
  const std::vector<int32_t> tokens = RandomTokens(3, 10, 97);
  const std::vector<float> before = Logits(*model, tokens);
  const auto error = [&](const PathConfig& path) {
    const absl::Status status = model->SetPath(path);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error({}), HasSubstr("has no hop"));
  EXPECT_THAT(error(Through({0, 3})), HasSubstr("hop 1 of the path names layer 3, but there are 3 layers"));
  EXPECT_THAT(error(Through({-1})), HasSubstr("hop 0 of the path names layer -1"));
  for (const float scale : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    EXPECT_THAT(error(Through({0, 1}, ScaleTarget::kStream, {1, scale})), HasSubstr("hop 1 of the path has a scale"));
  }
  EXPECT_EQ(Logits(*model, tokens), before);
}

TEST(Path, StepsSayWhatIsMultiplied) {
  const auto check = [](const PathConfig& path, const std::vector<float>& state, const std::vector<float>& mlp) {
    const std::vector<PathStep> steps = StepsOf(path);
    ASSERT_EQ(steps.size(), path.hops.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(steps[i].layer, path.hops[i].layer);
      EXPECT_EQ(steps[i].state, state[i]);
      EXPECT_EQ(steps[i].mlp, mlp[i]);
    }
  };
  check(Through({1, 0, 1}, ScaleTarget::kStream, {2, 3, 4}), {2, 3, 4}, {1, 1, 1});
  check(Through({1, 0, 1}, ScaleTarget::kBranch, {2, 3, 4}), {2, 1, 1}, {3, 4, 1});
}

}  // namespace
}  // namespace heterosis
