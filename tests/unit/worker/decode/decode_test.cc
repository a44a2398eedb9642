// SPDX-License-Identifier: Apache-2.0
// Greedy decoding of many prompts: what ends an answer, that rows do not touch each other, and what is an error.
#include "worker/decode/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "tests/unit/worker/model/fixture.h"
#include "worker/decode/repetition.h"

namespace heterosis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Answers t with t + 1, and 15 with 0.
std::unique_ptr<Model> CountingModel(int64_t max_positions = 100) {
  std::vector<int32_t> next(16);
  for (int32_t i = 0; i < 16; ++i) next[static_cast<size_t>(i)] = (i + 1) % 16;
  return ScriptedModel(next, max_positions);
}

std::vector<DecodeOutput> Answers(Model& model, const std::vector<DecodeRequest>& requests,
                                  const DecodeOptions& options, const TokenObserver& observer = nullptr) {
  auto outputs = Decode(model, requests, options, observer, nullptr);
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.ok() ? *std::move(outputs) : std::vector<DecodeOutput>(requests.size());
}

absl::Status Error(Model& model, const std::vector<DecodeRequest>& requests, const DecodeOptions& options) {
  return Decode(model, requests, options, nullptr, nullptr).status();
}

TEST(Decode, StopsAtAnEndTokenWithoutIt) {
  const auto outputs = Answers(*CountingModel(), {{{3}}, {{1, 7}}}, {.max_new_tokens = 50, .eos = {12, 9}});
  EXPECT_THAT(outputs[0].tokens, ElementsAre(4, 5, 6, 7, 8));
  EXPECT_EQ(outputs[0].finish, FinishReason::kEos);
  EXPECT_THAT(outputs[1].tokens, ElementsAre(8));
}

TEST(Decode, AnswerMayBeEmpty) {
  const auto outputs = Answers(*CountingModel(), {{{8}}}, {.max_new_tokens = 50, .eos = {9}});
  EXPECT_THAT(outputs[0].tokens, IsEmpty());
  EXPECT_EQ(outputs[0].finish, FinishReason::kEos);
}

TEST(Decode, StopsAtTheLengthAskedFor) {
  for (const int length : {1, 2, 7}) {
    const auto outputs = Answers(*CountingModel(), {{{3, 2}}}, {.max_new_tokens = length});
    EXPECT_EQ(outputs[0].tokens.size(), static_cast<size_t>(length));
    EXPECT_EQ(outputs[0].finish, FinishReason::kLength);
  }
  EXPECT_THAT(Answers(*CountingModel(), {{{3}}}, {.max_new_tokens = 0})[0].tokens, IsEmpty());
}

TEST(Decode, StopsAtTheModelsLimit) {
  // 6 positions, a prompt of 4: tokens at the positions 4 and 5, and one more that nothing follows.
  const auto outputs =
      Answers(*CountingModel(6), {{{0, 0, 0, 3}}, {{1, 1, 1, 1, 1, 1}}, {{1, 1, 1, 1, 1, 1, 1}}, {{2}}},
              {.max_new_tokens = 50});
  EXPECT_THAT(outputs[0].tokens, ElementsAre(4, 5, 6));
  EXPECT_EQ(outputs[0].finish, FinishReason::kLength);
  EXPECT_THAT(outputs[1].tokens, ElementsAre(2));
  EXPECT_THAT(outputs[2].tokens, IsEmpty()) << "a prompt longer than the model's positions";
  EXPECT_EQ(outputs[2].finish, FinishReason::kLength);
  EXPECT_THAT(outputs[3].tokens, ElementsAre(3, 4, 5, 6, 7, 8));
}

TEST(Decode, ObserverSeesEveryTokenAndStopsItsOwnRequestOnly) {
  std::map<size_t, std::vector<int32_t>> seen;
  const TokenObserver observer = [&](size_t request, int32_t token) {
    seen[request].push_back(token);
    return request == 1 && token == 6;
  };
  const auto outputs =
      Answers(*CountingModel(), {{{3}}, {{3}}, {{12}}}, {.max_new_tokens = 50, .eos = {9}, .batch_size = 2}, observer);
  EXPECT_THAT(outputs[1].tokens, ElementsAre(4, 5, 6));
  EXPECT_EQ(outputs[1].finish, FinishReason::kStop);
  EXPECT_THAT(outputs[0].tokens, ElementsAre(4, 5, 6, 7, 8));
  EXPECT_EQ(outputs[0].finish, FinishReason::kEos);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(seen[i], outputs[i].tokens) << i;
}

TEST(Decode, StopsInARepetition) {
  // 5 -> 6 -> 7 -> 5 ...; 1 -> 1.
  std::vector<int32_t> next(16, 9);
  next[5] = 6;
  next[6] = 7;
  next[7] = 5;
  next[1] = 1;
  next[9] = 10;
  next[10] = 11;
  next[11] = 12;
  const auto outputs = Answers(*ScriptedModel(next, 100), {{{5}}, {{1}}, {{9}}},
                               {.max_new_tokens = 50, .eos = {12}, .repetition_window = 8});
  EXPECT_THAT(outputs[0].tokens, ElementsAre(6, 7, 5, 6, 7, 5, 6, 7));
  EXPECT_EQ(outputs[0].finish, FinishReason::kRepetition);
  EXPECT_EQ(outputs[1].tokens, std::vector<int32_t>(8, 1));
  EXPECT_THAT(outputs[2].tokens, ElementsAre(10, 11));
  EXPECT_EQ(Answers(*ScriptedModel(next, 100), {{{5}}}, {.max_new_tokens = 50})[0].tokens.size(), 50u) << "no window";
}

// Requests of different lengths; finished rows are taken over by those that wait.
class DecodeBatchTest : public testing::TestWithParam<DType> {
 protected:
  static std::vector<DecodeRequest> Requests() {
    std::vector<DecodeRequest> requests;
    for (uint64_t i = 0; i < 23; ++i) requests.push_back({RandomTokens(100 + i, 1 + i * 7 % 31, 97)});
    return requests;
  }
  static std::vector<std::vector<int32_t>> TokensOf(const std::vector<DecodeOutput>& outputs) {
    std::vector<std::vector<int32_t>> tokens;
    for (const DecodeOutput& output : outputs) tokens.push_back(output.tokens);
    return tokens;
  }
  std::unique_ptr<Model> Make(int threads, bool generic = false) const {
    return RandomModel(SmallConfig(), threads, {.compute = GetParam(), .generic = generic});
  }
  // Some end tokens, so that rows end at different times.
  static DecodeOptions Options(int batch_size) {
    return {.max_new_tokens = 30, .eos = {1, 5, 11, 17}, .repetition_window = 12, .batch_size = batch_size};
  }
};

TEST_P(DecodeBatchTest, TokensDoNotDependOnTheBatchOrTheThreads) {
  const std::vector<DecodeRequest> requests = Requests();
  std::vector<std::vector<int32_t>> expected;
  for (const DecodeRequest& request : requests) expected.push_back(Answers(*Make(1), {request}, Options(1))[0].tokens);
  size_t lengths = 0;
  for (size_t i = 1; i < expected.size(); ++i) lengths += expected[i].size() != expected[0].size() ? 1 : 0;
  EXPECT_GT(lengths, 3u) << "the requests should end at different times";
  for (const int threads : {1, 2, 3}) {
    for (const int batch_size : {1, 2, 5, 64}) {
      EXPECT_EQ(TokensOf(Answers(*Make(threads), requests, Options(batch_size))), expected)
          << threads << ", " << batch_size;
    }
  }
}

TEST_P(DecodeBatchTest, OneModelDecodesAgainAndAgain) {
  const std::vector<DecodeRequest> requests = Requests();
  std::unique_ptr<Model> model = Make(2);
  const auto expected = TokensOf(Answers(*model, requests, Options(4)));
  Answers(*model, {{RandomTokens(1, 60, 97)}}, Options(1));
  EXPECT_EQ(TokensOf(Answers(*model, requests, Options(7))), expected);
}

TEST_P(DecodeBatchTest, LittleMemoryGivesTheSameTokensInSmallerBatches) {
  const std::vector<DecodeRequest> requests = Requests();
  std::unique_ptr<Model> model = Make(2);
  const auto expected = TokensOf(Answers(*model, requests, Options(64)));
  for (const bool generic : {false, true}) {
    std::unique_ptr<Model> tight = Make(2, generic);
    DecodeOptions options = Options(64);
    options.memory_bytes_max = 3 * tight->CacheBytesPerRow(31 + 30);
    const auto tokens = TokensOf(Answers(*tight, requests, options));
    EXPECT_LE(tight->CacheBytes(), options.memory_bytes_max);
    if (!generic) {
      EXPECT_EQ(tokens, expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, DecodeBatchTest, testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& test) { return std::string(Name(test.param)); });

TEST(Decode, NotANumberIsDataLossThatNamesTheRequest) {
  std::unique_ptr<Model> model = CountingModel();
  // Token 5 is poisoned: reached from 3 after two tokens.
  Fill(model->slots()[0], [](int64_t i) {
    if (i == 5 * 16 + 5) return std::numeric_limits<float>::quiet_NaN();
    return i / 16 == i % 16 ? 1.0f : 0.0f;
  });
  ASSERT_TRUE(model->WeightsChanged().ok());
  const absl::Status status = Error(*model, {{{8}}, {{3}}}, {.max_new_tokens = 5});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("request 1 after 2 new tokens"));
}

TEST(Decode, CancellationEndsIt) {
  std::unique_ptr<Model> model = CountingModel();
  std::atomic<bool> cancelled{false};
  size_t tokens = 0;
  const TokenObserver observer = [&](size_t, int32_t) {
    cancelled = ++tokens == 3;
    return false;
  };
  const std::vector<DecodeRequest> requests{{{1}}};
  const auto outputs = Decode(*model, requests, {.max_new_tokens = 50}, observer, &cancelled);
  EXPECT_EQ(outputs.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(tokens, 3u);
}

TEST(Decode, WrongRequestsAreRefused) {
  std::unique_ptr<Model> model = CountingModel();
  EXPECT_THAT(Answers(*model, {}, {}), IsEmpty());
  const absl::Status empty = Error(*model, {{{1}}, {{}}}, {});
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("request 1 is empty"));
  EXPECT_EQ(Error(*model, {{{16}}}, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Error(*model, {{{1}}}, {.max_new_tokens = -1}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Decode, WithoutMemoryForOneRowItSaysSo) {
  std::unique_ptr<Model> model = CountingModel();
  const absl::Status status = Error(*model, {{{1}}}, {.max_new_tokens = 90, .memory_bytes_max = 100});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("max_new_tokens"));
}

// Memory is planned by the path: a longer one gets fewer rows at a time, the same answers, and in the end none.
TEST(Decode, ALongPathSplitsTheBatchUntilNotEvenOneRowFits) {
  std::unique_ptr<Model> model = RandomModel(SmallConfig(), 2);
  PathConfig path;
  for (int i = 0; i < 12; ++i) path.hops.push_back({i % 2, i % 3 == 0 ? 0.9f : 1.0f});
  const size_t shallow = model->CacheBytesPerRow(64);
  ASSERT_TRUE(model->SetPath(path).ok());
  const size_t deep = model->CacheBytesPerRow(64);
  EXPECT_EQ(deep, 6 * shallow);
  std::vector<DecodeRequest> requests;
  for (uint64_t i = 0; i < 9; ++i) requests.push_back({RandomTokens(i, 4 + i, 97)});
  DecodeOptions options{.max_new_tokens = 50, .batch_size = 9, .memory_bytes_max = 9 * deep};
  const std::vector<DecodeOutput> roomy = Answers(*model, requests, options);
  EXPECT_GE(model->CacheBytes(), 9 * deep);

  model = RandomModel(SmallConfig(), 2);
  ASSERT_TRUE(model->SetPath(path).ok());
  options.memory_bytes_max = 9 * shallow;  // one row of the long path, with a rest
  const std::vector<DecodeOutput> tight = Answers(*model, requests, options);
  EXPECT_LE(model->CacheBytes(), 9 * shallow);
  for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(tight[i].tokens, roomy[i].tokens) << i;

  options.memory_bytes_max = deep - 1;
  const absl::Status status = Error(*model, requests, options);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tokens through 12 layers needs"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("max_hops"));
}

TEST(PlanRows, TakesTheSmallestOfBatchRequestsAndMemory) {
  EXPECT_EQ(PlanRows(64, 1000, 10, 10'000), 64);
  EXPECT_EQ(PlanRows(64, 3, 10, 10'000), 3);
  EXPECT_EQ(PlanRows(64, 1000, 10, 75), 7);
  EXPECT_EQ(PlanRows(64, 1000, 10, 5), 1);
  EXPECT_EQ(PlanRows(0, 1000, 10, 10'000), 1);
  EXPECT_EQ(PlanRows(-5, 0, 0, 0), 1);
  EXPECT_EQ(PlanRows(8, 9, 0, 100), 8);
}

TEST(Repetition, IsAPeriodOfAtMostHalfTheWindow) {
  const std::vector<int32_t> tokens{9, 8, 1, 2, 3, 1, 2, 3};
  EXPECT_TRUE(EndsInRepetition(tokens, 6));
  EXPECT_FALSE(EndsInRepetition(tokens, 7));
  EXPECT_FALSE(EndsInRepetition(tokens, 5)) << "3 is more than half of 5";
  EXPECT_FALSE(EndsInRepetition(tokens, 9)) << "more than there are";
  EXPECT_FALSE(EndsInRepetition(tokens, 0));
  EXPECT_FALSE(EndsInRepetition(tokens, 1));
  EXPECT_TRUE(EndsInRepetition(std::vector<int32_t>{4, 4}, 2));
  EXPECT_FALSE(EndsInRepetition(std::vector<int32_t>{4, 5}, 2));
  EXPECT_TRUE(EndsInRepetition(std::vector<int32_t>{1, 2, 1, 2, 1}, 5)) << "the last time in part";
  EXPECT_FALSE(EndsInRepetition({}, 4));
}

}  // namespace
}  // namespace heterosis
