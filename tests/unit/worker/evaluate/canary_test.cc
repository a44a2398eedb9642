// SPDX-License-Identifier: Apache-2.0
// Canaries on the demo's models: two engines agree but for rounding, within the tolerance by far; damage does not.
#include "common/trial/canary.h"

#include <algorithm>

#include "common/base/random.h"
#include "gmock/gmock.h"
#include "tests/unit/worker/evaluate/fixture.h"
#include "worker/decode/top_logits.h"
#include "worker/evaluate/merge_trial_runner.h"

namespace heterosis {
namespace {

CanaryWork Work(double ja) {
  CanaryWork work{.number = 3, .problems = DemoProblems(4), .steps = 6, .top = 8};
  work.recipe.method = MergeMethod::kDareTies;
  work.recipe.base = "base";
  work.recipe.sources = {"ja", "math"};
  work.recipe.tokenizer = "base";
  work.recipe.out_dtype = DType::kFloat32;
  work.recipe.rows = {{.match = {"*"}, .weight = {ja, 0.9}, .density = {0.8, 0.7}}};
  return work;
}

class CanaryTest : public ::testing::Test {
 protected:
  static std::unique_ptr<TrialRunner> Runner(int threads = 2) {
    auto runner =
        MakeTrialRunner({.models = DemoModels(), .device = OpenCpu(threads), .language_model = LanguageModelPath()});
    EXPECT_TRUE(runner->Prepare(DemoTask()).ok());
    return runner;
  }

  static CanaryResult Answer(TrialRunner& runner, const CanaryWork& work) {
    const auto result = runner.RunCanary(work, kNotCancelled);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(CanaryResult{});
  }
};

TEST_F(CanaryTest, HasTheLargestLogitsOfEachStepInOrder) {
  const auto runner = Runner();
  const CanaryResult result = Answer(*runner, Work(0.7));
  EXPECT_EQ(result.number, 3);
  ASSERT_EQ(result.answers.size(), 4u);
  for (const CanaryAnswer& answer : result.answers) {
    ASSERT_EQ(answer.size(), 6u);
    for (const CanaryStep& step : answer) {
      ASSERT_EQ(step.size(), 8u);
      EXPECT_TRUE(std::is_sorted(step.begin(), step.end(), [](const auto& a, const auto& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
      }));
    }
  }
}

// The tokens that the canary goes on with are those that a shard writes.
TEST_F(CanaryTest, FollowsTheWayOfAShard) {
  const CanaryWork canary = Work(0.7);
  const LoadedModel loaded = OpenModel(DemoModel("ja")).value();
  const auto model = LoadForDecoding(loaded, TestCpu(), DType::kFloat32).value();
  std::vector<DecodeRequest> requests;
  for (const Problem& problem : canary.problems) requests.push_back({loaded.tokenizer->Encode(problem.question, true)});
  const auto answers = TopLogits(*model, requests, 6, 8, kNotCancelled).value();
  const auto decoded = Decode(*model, requests, {.max_new_tokens = 6}, {}, nullptr).value();
  for (size_t i = 0; i < requests.size(); ++i) {
    for (size_t step = 0; step < 6; ++step) EXPECT_EQ(answers[i][step].front().token, decoded[i].tokens[step]) << i;
  }
}

TEST_F(CanaryTest, TheSameAnswerWhateverRanBeforeAndOnAnyNumberOfThreads) {
  const auto runner = Runner();
  const CanaryResult first = Answer(*runner, Work(0.7));
  const CanaryResult other = Answer(*runner, Work(0.2));
  EXPECT_EQ(Answer(*runner, Work(0.7)), first);
  EXPECT_EQ(Answer(*Runner(1), Work(0.7)), first);
  EXPECT_FALSE(CompareCanary(first, other, ToleranceFor(DType::kFloat32)).ok()) << "another recipe is another answer";
}

TEST_F(CanaryTest, AShardAfterItIsWhatItWasBefore) {
  const auto runner = Runner();
  ShardWork work{.key = {1, 0, 1}, .recipe = Work(0.7).recipe, .samples = {0, 1}, .problems = DemoProblems(2)};
  const auto before = runner->Run(work, kNotCancelled).value().samples;
  Answer(*runner, Work(0.2));
  EXPECT_EQ(runner->Run(work, kNotCancelled).value().samples, before);
}

TEST_F(CanaryTest, ACancelledOneEnds) {
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(Runner()->RunCanary(Work(0.7), cancelled).status().code(), absl::StatusCode::kCancelled);
}

// Where a prompt fills all positions there is nothing to tell.
TEST_F(CanaryTest, APromptWithoutRoomHasFewerSteps) {
  const LoadedModel loaded = OpenModel(DemoModel("ja")).value();
  const auto model = LoadForDecoding(loaded, TestCpu(), DType::kFloat32).value();
  const auto length = static_cast<size_t>(model->positions_max());
  const std::vector<DecodeRequest> requests = {
      {std::vector<int32_t>(length - 1, 5)}, {std::vector<int32_t>(length + 1, 5)}, {std::vector<int32_t>(3, 5)}};
  const auto answers = TopLogits(*model, requests, 4, 2, kNotCancelled).value();
  EXPECT_EQ(answers[0].size(), 2u);
  EXPECT_TRUE(answers[1].empty());
  EXPECT_EQ(answers[2].size(), 4u);
}

// An engine with kernels of its own and one through ATen sum in different orders, as different devices do.
class EnginesTest : public ::testing::TestWithParam<DType> {
 protected:
  EnginesTest() : loaded_(OpenModel(DemoModel("math")).value()) {
    for (const Problem& problem : DemoProblems(8)) {
      requests_.push_back({loaded_.tokenizer->Encode(problem.question, true)});
    }
  }
  std::unique_ptr<Model> Load(bool generic) {
    const ModelConfig& config = loaded_.checkpoint->config();
    auto model =
        Model::Create(config, TestCpu(), {.stored = config.dtype, .compute = GetParam(), .generic = generic}).value();
    EXPECT_TRUE(model->LoadFrom(*loaded_.checkpoint).ok());
    return model;
  }
  CanaryResult Answer(Model& model) {
    CanaryResult result;
    const auto answers = TopLogits(model, requests_, 8, 8, kNotCancelled);
    if (answers.ok()) {
      result.answers = *answers;
    } else {
      result.failure = FailureClass::kNumeric;
    }
    return result;
  }

  const LoadedModel loaded_;
  std::vector<DecodeRequest> requests_;
};

TEST_P(EnginesTest, AgreeWithinHalfOfTheTolerance) {
  const CanaryResult ours = Answer(*Load(false)), atens = Answer(*Load(true));
  CanaryTolerance tolerance = ToleranceFor(GetParam());
  tolerance.absolute /= 2;
  tolerance.relative /= 2;
  EXPECT_EQ(CompareCanary(ours, atens, tolerance), absl::OkStatus());
}

// The highest bit of an exponent flips in one weight of 64: each is found.
TEST_P(EnginesTest, AFlippedExponentBitIsFound) {
  const auto model = Load(false);
  const CanaryResult reference = Answer(*model);
  RandomStream dice(7);
  int found = 0, tries = 0;
  for (; tries < 64; ++tries) {
    ASSERT_TRUE(model->LoadFrom(*loaded_.checkpoint).ok());
    // Not an embedding's row, which the canary's texts may not use.
    const MutableTensor& tensor = model->slots()[1 + dice.NextBelow(model->slots().size() - 1)];
    const auto elements = static_cast<uint64_t>(ElementCount(tensor.shape));
    const size_t size = SizeBytes(tensor.dtype);
    tensor.data[(dice.NextBelow(elements) + 1) * size - 1] ^= std::byte{0x40};
    ASSERT_TRUE(model->WeightsChanged().ok());
    found += CompareCanary(reference, Answer(*model), ToleranceFor(GetParam())).ok() ? 0 : 1;
  }
  EXPECT_EQ(found, tries);
}

INSTANTIATE_TEST_SUITE_P(Types, EnginesTest, ::testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& test) { return std::string(Name(test.param)); });

}  // namespace
}  // namespace heterosis
