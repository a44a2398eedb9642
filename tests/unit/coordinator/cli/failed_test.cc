// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator best --failed`.
#include "coordinator/cli/failed.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Trial 5 (and 6, which shares its outcome) fails by NaN on two workers after one of them was lost; trial 4 is done;
// trial 7 is a path beyond its limits.
class FailedTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    RunParents();
    StageCommit commit = FirstGeneration();
    commit.genomes.push_back(Merge(7, 0, 0, 3, 0.1, 0.2));
    TrialRecord infeasible = TrialOf(7, 7, Purpose::kSearch, Samples(Split::kSearch, {1, 3}));
    infeasible.state = TrialState::kInfeasible;
    infeasible.failure = "the path has 12 hops, more than max_hops: 9";
    commit.trials.push_back(infeasible);
    ASSERT_TRUE(Stage(commit).ok());
    ASSERT_TRUE(store_->CommitWorker({"session-2", "other-box", "cpu"}, Now()).ok());
    ASSERT_TRUE(store_->CommitFailure(Failure(5, 0, FailureClass::kInfra, "the worker fell silent"), Now()).ok());
    ASSERT_TRUE(store_->CommitFailure(Failure(5, 0, FailureClass::kNumeric, "NaN in the logits"), Now()).ok());
    FailureCommit last = Failure(5, 0, FailureClass::kNumeric, "NaN in the logits\nof layer 3", /*trial_failed=*/true);
    last.worker = "session-2";
    ASSERT_TRUE(store_->CommitFailure(last, Now()).ok());
    Score(commit.trials[1], 1);
  }
};

TEST_F(FailedTest, JsonNamesClassMessageAndWorkersOfEach) {
  const Json document = ParseJson(Failed(path_, Format::kJson).value()).value();
  EXPECT_THAT(Keys(document), ElementsAre("experiment", "state", "failed"));
  ASSERT_EQ(document["failed"].size(), 3u);
  const Json& first = document["failed"][0];
  EXPECT_EQ(first["trial"], 5);
  EXPECT_EQ(first["phase"], "ps");
  EXPECT_EQ(first["state"], "failed");
  EXPECT_EQ(first["class"], "numeric");
  EXPECT_EQ(first["message"], "NaN in the logits\nof layer 3");
  EXPECT_EQ(first["attempts"], 3);
  EXPECT_EQ(first["workers"], (Json{"gpu-box", "other-box"}));
  EXPECT_EQ(document["failed"][1]["trial"], 6);  // shares the outcome, and whom it failed on
  EXPECT_EQ(document["failed"][1]["workers"].size(), 2u);
  const Json& path = document["failed"][2];
  EXPECT_EQ(path["state"], "infeasible");
  EXPECT_TRUE(path["class"].is_null());
  EXPECT_EQ(path["message"], "the path has 12 hops, more than max_hops: 9");
  EXPECT_EQ(path["attempts"], 0);
  EXPECT_TRUE(path["workers"].empty());
}

TEST_F(FailedTest, TheTableHasALineForEachAndCountsThem) {
  const std::string text = Failed(path_, Format::kTable).value();
  EXPECT_THAT(text, HasSubstr("2 failed and 1 are infeasible"));
  EXPECT_THAT(LineWith(text, "numeric"), AllOf(HasSubstr("5"), HasSubstr("gpu-box, other-box"),
                                               HasSubstr("NaN in the logits"), Not(HasSubstr("layer 3"))));
  EXPECT_THAT(LineWith(text, "infeasible "), HasSubstr("max_hops"));
  EXPECT_EQ(Lines(text).size(), 6u);
}

TEST_F(FailedTest, CsvHasTheSameColumns) {
  const std::string text = Failed(path_, Format::kCsv).value();
  EXPECT_EQ(Lines(text)[0], "trial,phase,generation,origin,purpose,state,class,attempts,workers,message\r");
  EXPECT_THAT(text, HasSubstr("7,ps,0,sampled,search,infeasible,,0,,"));
}

using NothingFailedTest = CommandTest;

TEST_F(NothingFailedTest, IsSaidInOneLine) {
  EXPECT_EQ(Failed(path_, Format::kTable).value(), "experiment small: of 10 trials 0 failed and 0 are infeasible\n");
}

}  // namespace
}  // namespace heterosis
