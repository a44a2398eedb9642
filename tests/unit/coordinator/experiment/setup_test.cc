// SPDX-License-Identifier: Apache-2.0
// A database is resumed by its own experiment only, and the refusal says what differs.
#include "coordinator/experiment/setup.h"

#include "common/base/status.h"
#include "gmock/gmock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ResumeTest : public ExperimentTest {
 protected:
  void SetUp() override { ASSERT_TRUE(run_.Start().ok()); }

  SimulatedRun run_{folder_, "run.db"};
};

TEST_F(ResumeTest, OtherSettingsAreRefusedByName) {
  run_.setup.config.set_seed(8);
  run_.setup.config.mutable_phases(0)->mutable_optimizer()->set_sigma(0.5);
  const absl::Status status = run_.Start();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), AllOf(HasSubstr("seed: 7 -> 8"), HasSubstr("phases[0].optimizer.sigma"),
                                     HasSubstr("choose another --db")));
}

TEST_F(ResumeTest, OtherModelFilesAreRefused) {
  run_.setup.model_digests["ja"] = "another digest";
  EXPECT_THAT(Message(run_.Start()), HasSubstr("the files of model \"ja\" have changed"));
}

TEST_F(ResumeTest, OtherProblemsAreRefused) {
  run_.setup.search[3].answer = "77";
  run_.setup.test.pop_back();
  EXPECT_THAT(Message(run_.Start()),
              AllOf(HasSubstr("data.search: problem 3 has changed"), HasSubstr("data.test: 6 problems -> 5")));
}

TEST_F(ResumeTest, WhatCannotChangeResultsMayDiffer) {
  run_.setup.config.mutable_scheduling()->set_lease_seconds(99);
  run_.setup.config.mutable_evaluation()->set_batch_size(3);
  run_.setup.config.mutable_models(0)->set_path("/elsewhere/base");
  EXPECT_TRUE(run_.Start().ok());
}

TEST(ParentNames, AreTheSourcesInTheOrderOfTheConfig) {
  EXPECT_THAT(ParentNames(SmallSetup().config), ElementsAre("ja", "math"));
}

TEST(ParentNames, IncludeTheBaseWhereSlerpInterpolatesFromIt) {
  ExperimentSetup setup = SmallSetup();
  v1::Merge& merge = *setup.config.mutable_phases(0)->mutable_merge();
  merge.set_method(v1::Merge::SLERP);
  merge.clear_sources();
  merge.add_sources("math");
  EXPECT_THAT(ParentNames(setup.config), ElementsAre("base", "math"));
}

}  // namespace
}  // namespace heterosis
