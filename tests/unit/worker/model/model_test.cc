// SPDX-License-Identifier: Apache-2.0
// The model: a token's logits are the same bits however it is computed, new weights take effect wholly, and wrong use
// is an error.
#include "worker/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/worker/model/fixture.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

std::vector<float> LogitsOf(Model& model, const std::vector<int32_t>& tokens) {
  const auto logits = model.Logits(tokens);
  EXPECT_TRUE(logits.ok()) << logits.status();
  return logits.ok() ? *logits : std::vector<float>();
}

double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

class ModelTest : public testing::TestWithParam<DType> {
 protected:
  ModelOptions Options() const { return {.stored = DType::kFloat32, .compute = GetParam(), .generic = false}; }
};

TEST_P(ModelTest, LogitsDoNotDependOnThreads) {
  const std::vector<int32_t> tokens = RandomTokens(3, 77, 97);
  const std::vector<float> expected = LogitsOf(*RandomModel(SmallConfig(), 1, Options()), tokens);
  for (const int threads : {2, 3, 5}) {
    EXPECT_EQ(LogitsOf(*RandomModel(SmallConfig(), threads, Options()), tokens), expected) << threads;
  }
}

// One call, token by token, and in uneven pieces, beside other sequences or alone.
TEST_P(ModelTest, NextTokenDoesNotDependOnHowTheTextIsCutOrOnItsNeighbours) {
  const std::vector<int32_t> text = RandomTokens(4, 60, 97), other = RandomTokens(5, 60, 97);
  for (const int threads : {1, 3}) {
    std::unique_ptr<Model> model = RandomModel(SmallConfig(), threads, Options());
    const std::vector<float> logits = LogitsOf(*model, text);
    const float largest = *std::max_element(logits.end() - 97, logits.end());
    for (const int64_t piece : {1, 7, 16, 60}) {
      for (const bool alone : {true, false}) {
        ASSERT_TRUE(model->ReserveCache(5, 64).ok());
        NextToken last;
        for (int64_t at = 0; at < 60; at += piece) {
          const auto count = static_cast<size_t>(std::min(piece, 60 - at));
          const auto part = std::span<const int32_t>(text).subspan(static_cast<size_t>(at), count);
          const auto beside = std::span<const int32_t>(other).subspan(static_cast<size_t>(at), count);
          std::vector<Segment> segments{{3, at, part}};
          if (!alone) segments = {{0, at, beside}, {3, at, part}, {4, 0, beside}, {1, at, beside}};
          std::vector<NextToken> next(segments.size());
          const absl::Status status = model->Forward(segments, next);
          ASSERT_TRUE(status.ok()) << status;
          last = next[alone ? 0 : 1];
        }
        EXPECT_EQ(last.logit, largest) << piece << (alone ? " alone" : " beside others") << ", threads " << threads;
        EXPECT_TRUE(last.finite);
      }
    }
  }
}

TEST_P(ModelTest, NewWeightsTakeEffectWholly) {
  for (const bool tied : {false, true}) {
    for (const bool generic : {false, true}) {
      ModelConfig config = SmallConfig();
      config.tie_word_embeddings = tied;
      config.attention_bias = true;
      config.mlp_bias = true;
      ModelOptions options = Options();
      options.generic = generic;
      const std::vector<int32_t> tokens = RandomTokens(3, 20, 97);
      std::unique_ptr<Model> model = RandomModel(config, 2, options, 1);
      const std::vector<float> first = LogitsOf(*model, tokens);
      FillRandomly(*model, 2);
      EXPECT_EQ(LogitsOf(*model, tokens), LogitsOf(*RandomModel(config, 2, options, 2), tokens));
      FillRandomly(*model, 1);
      EXPECT_EQ(LogitsOf(*model, tokens), first);
    }
  }
}

// Each tensor is used: a change in any one changes the logits.
TEST_P(ModelTest, EveryTensorMatters) {
  ModelConfig config = SmallConfig();
  config.attention_bias = true;
  config.mlp_bias = true;
  std::unique_ptr<Model> model = RandomModel(config, 1, Options());
  const std::vector<int32_t> tokens = RandomTokens(3, 20, 97);
  const std::vector<float> before = LogitsOf(*model, tokens);
  for (const MutableTensor& slot : model->slots()) {
    // A constant on all keys' scores would cancel in the softmax: turn the signs instead.
    Fill(slot, [&](int64_t i) {
      float value = 0;
      ReadFloats(slot, i, {&value, 1});
      return -value;
    });
    ASSERT_TRUE(model->WeightsChanged().ok());
    EXPECT_GT(Distance(LogitsOf(*model, tokens), before), 1e-4) << slot.name;
    FillRandomly(*model, 1);
  }
}

TEST_P(ModelTest, StoredTypeIsConvertedExactly) {
  const std::vector<int32_t> tokens = RandomTokens(3, 20, 97);
  const std::vector<float> expected = LogitsOf(*RandomModel(SmallConfig(), 2, Options()), tokens);
  ModelOptions options = Options();
  options.stored = DType::kBFloat16;  // the random weights are numbers that bfloat16 has
  EXPECT_EQ(LogitsOf(*RandomModel(SmallConfig(), 2, options), tokens), expected);
}

TEST_P(ModelTest, NotANumberIsReported) {
  for (const bool generic : {false, true}) {
    ModelOptions options = Options();
    options.generic = generic;
    for (const float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::unique_ptr<Model> model = RandomModel(SmallConfig(), 2, options);
      const MutableTensor& slot = model->slots()[3];
      Fill(slot, [&](int64_t i) { return i == 5 ? poison : 0.1f; });
      ASSERT_TRUE(model->WeightsChanged().ok());
      ASSERT_TRUE(model->ReserveCache(2, 32).ok());
      const std::vector<int32_t> a = RandomTokens(6, 9, 97), b = RandomTokens(7, 4, 97);
      const std::vector<Segment> segments{{0, 0, a}, {1, 0, b}};
      std::vector<NextToken> next(2);
      ASSERT_TRUE(model->Forward(segments, next).ok());
      EXPECT_FALSE(next[0].finite);
      EXPECT_FALSE(next[1].finite);
      // And nothing of it is left behind.
      FillRandomly(*model, 1);
      EXPECT_EQ(LogitsOf(*model, a), LogitsOf(*RandomModel(SmallConfig(), 2, options), a));
    }
  }
}

TEST_P(ModelTest, OfEquallyLikelyTokensTheFirstCounts) {
  for (const bool generic : {false, true}) {
    ModelOptions options = Options();
    options.generic = generic;
    std::unique_ptr<Model> model = RandomModel(SmallConfig(), 3, options);
    // All logits are equal but those of the tokens 3, 50 and 96, which are higher (or 0, like the others).
    Fill(model->slots().back(), [](int64_t) { return 0.0f; });
    ASSERT_TRUE(model->WeightsChanged().ok());
    ASSERT_TRUE(model->ReserveCache(1, 8).ok());
    const std::vector<int32_t> tokens{5, 6};
    const Segment segment{0, 0, tokens};
    NextToken next;
    ASSERT_TRUE(model->Forward({&segment, 1}, {&next, 1}).ok());
    EXPECT_EQ(next.token, 0);
    const float sign = [&] {
      Fill(model->slots().back(), [](int64_t i) { return i / 42 == 3 ? 1.0f : 0.0f; });
      EXPECT_TRUE(model->WeightsChanged().ok());
      EXPECT_TRUE(model->Forward({&segment, 1}, {&next, 1}).ok());
      return next.token == 3 ? 1.0f : -1.0f;
    }();
    Fill(model->slots().back(), [&](int64_t i) { return i / 42 == 96 || i / 42 == 50 || i / 42 == 33 ? sign : 0.0f; });
    ASSERT_TRUE(model->WeightsChanged().ok());
    ASSERT_TRUE(model->Forward({&segment, 1}, {&next, 1}).ok());
    EXPECT_EQ(next.token, 33);
  }
}

TEST_P(ModelTest, SlidingWindowForgetsWhatIsOutside) {
  ModelConfig config = SmallConfig();
  config.num_layers = 1;
  config.sliding_window = 9;
  std::unique_ptr<Model> model = RandomModel(config, 2, Options());
  std::vector<int32_t> text = RandomTokens(4, 50, 97);
  const std::vector<float> before = LogitsOf(*model, text);
  text[20] = (text[20] + 1) % 97;
  const std::vector<float> after = LogitsOf(*model, text);
  for (size_t position = 0; position < 50; ++position) {
    const bool sees = position >= 20 && position < 29;  // one layer: itself and the 8 before
    const auto row = [&](const std::vector<float>& logits) {
      return std::vector<float>(logits.begin() + static_cast<ptrdiff_t>(position * 97),
                                logits.begin() + static_cast<ptrdiff_t>(position * 97 + 97));
    };
    EXPECT_EQ(row(before) != row(after), sees) << position;
  }
}

TEST_P(ModelTest, CacheMayShrinkAndGrow) {
  for (const bool generic : {false, true}) {
    ModelOptions options = Options();
    options.generic = generic;
    std::unique_ptr<Model> model = RandomModel(SmallConfig(), 2, options);
    const std::vector<int32_t> text = RandomTokens(4, 50, 97), brief = RandomTokens(5, 3, 97);
    const std::vector<float> expected = LogitsOf(*model, text), expected_brief = LogitsOf(*model, brief);
    ASSERT_TRUE(model->ReserveCache(9, 100).ok());
    const size_t held = model->CacheBytes();
    EXPECT_GE(held, 9 * model->CacheBytesPerRow(100));
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(LogitsOf(*model, brief), expected_brief);
      EXPECT_EQ(LogitsOf(*model, text), expected);
    }
    ASSERT_TRUE(model->ReserveCache(9, 100).ok());
    EXPECT_EQ(model->CacheBytes(), held);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ModelTest, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& test) { return std::string(Name(test.param)); });

TEST(ModelUse, WrongSegmentsAreRefused) {
  std::unique_ptr<Model> model = RandomModel(SmallConfig(), 1);
  ASSERT_TRUE(model->ReserveCache(2, 8).ok());
  const auto error = [&](int row, int64_t position, const std::vector<int32_t>& tokens) {
    const Segment segment{row, position, tokens};
    NextToken next;
    const absl::Status status = model->Forward({&segment, 1}, {&next, 1});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error(2, 0, {1}), HasSubstr("outside the cache of 2 x 8"));
  EXPECT_THAT(error(-1, 0, {1}), HasSubstr("outside the cache"));
  EXPECT_THAT(error(0, -1, {1}), HasSubstr("outside the cache"));
  EXPECT_THAT(error(0, 7, {1, 2}), HasSubstr("outside the cache"));
  EXPECT_THAT(error(0, 0, {}), HasSubstr("outside the cache"));
  EXPECT_THAT(error(0, 0, {97}), HasSubstr("token 97 is outside the model's vocabulary of 97"));
  EXPECT_THAT(error(0, 0, {-1}), HasSubstr("token -1"));
}

TEST(ModelUse, Float16NeedsAGpu) {
  const auto model = Model::Create(SmallConfig(), OpenCpu(1), {.compute = DType::kFloat16});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("float32 or bfloat16"));
}

TEST(ModelUse, DynamicScalingStretchesTheLimit) {
  ModelConfig config = SmallConfig();
  EXPECT_EQ(MakeModel(config, 1)->positions_max(), 120);
  config.rope.kind = RopeConfig::Kind::kDynamic;
  config.rope.factor = 2.5;
  EXPECT_EQ(MakeModel(config, 1)->positions_max(), 300);
}

TEST(ModelUse, SlotsAreZeroAlignedAndInTheDecodersOrder) {
  const std::unique_ptr<Model> model = MakeModel(SmallConfig(), 1, {.stored = DType::kBFloat16});
  const std::vector<TensorSpec> specs = ExpectedTensors(SmallConfig());
  ASSERT_EQ(model->slots().size(), specs.size());
  for (size_t i = 0; i < specs.size(); ++i) {
    const MutableTensor& slot = model->slots()[i];
    EXPECT_EQ(slot.name, specs[i].name);
    EXPECT_EQ(slot.shape, specs[i].shape);
    EXPECT_EQ(slot.dtype, DType::kBFloat16);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slot.data) % 64, 0u);
    EXPECT_EQ(slot.data[0], std::byte{0});
  }
}

}  // namespace
}  // namespace heterosis
