// SPDX-License-Identifier: Apache-2.0
// A phase of a config as search space, optimizer and budget.
#include "coordinator/experiment/phase_plan.h"

#include "gmock/gmock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

PhasePlan Plan(const v1::Experiment& config) {
  absl::StatusOr<PhasePlan> plan = PhasePlan::Create(config, 0, SmallSetup().model_layers);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return *std::move(plan);
}

class PhasePlanTest : public ::testing::Test {
 protected:
  v1::Experiment config_ = SmallSetup().config;
  v1::Phase& phase_ = *config_.mutable_phases(0);
};

TEST_F(PhasePlanTest, BudgetOfTrialsIsRoundedUpToWholeGenerations) {
  phase_.mutable_budget()->clear_generations();
  phase_.mutable_budget()->set_trials(13);
  EXPECT_EQ(Plan(config_).generations(), 3);
  phase_.mutable_budget()->set_trials(12);
  EXPECT_EQ(Plan(config_).generations(), 2);
}

TEST_F(PhasePlanTest, PopulationDefaultsToTheOptimizers) {
  phase_.mutable_optimizer()->clear_population();
  EXPECT_EQ(Plan(config_).population(), 6);  // 4 + floor(3 ln 2)
}

TEST_F(PhasePlanTest, StartIsTheMiddleOfEveryRange) {
  const PhasePlan plan = Plan(config_);
  const auto optimizer = plan.NewOptimizer();
  ASSERT_TRUE(optimizer.ok());
  EXPECT_THAT(plan.ToGenome((*optimizer)->mean()), Each(1.0));
  EXPECT_DOUBLE_EQ((*optimizer)->sigma(), 1.0 / 6);
}

TEST_F(PhasePlanTest, FirstCandidatesAreTheInjectedOnes) {
  const PhasePlan plan = Plan(config_);
  EXPECT_THAT(plan.injected_labels(), ElementsAre("uniform", "ja", "math"));
  const std::vector<std::vector<double>> asked = (*plan.NewOptimizer())->Ask();
  EXPECT_THAT(plan.ToGenome(asked[0]), ElementsAre(0.5, 0.5));
  EXPECT_THAT(plan.ToGenome(asked[1]), ElementsAre(1.0, 0.0));
  EXPECT_THAT(plan.ToGenome(asked[2]), ElementsAre(0.0, 1.0));
}

TEST_F(PhasePlanTest, NothingIsInjectedWhereTheConfigSaysSo) {
  phase_.mutable_optimizer()->set_inject_parents(false);
  EXPECT_THAT(Plan(config_).injected_labels(), IsEmpty());
}

TEST_F(PhasePlanTest, HalfOfTheFirstGenerationIsSampledAtLeast) {
  phase_.mutable_optimizer()->set_population(4);
  EXPECT_THAT(Plan(config_).injected_labels(), ElementsAre("uniform", "ja"));
}

TEST_F(PhasePlanTest, PointsOutsideTheSpaceAreNotInjected) {
  phase_.mutable_merge()->mutable_weight()->set_low(0.25);
  phase_.mutable_merge()->mutable_weight()->set_high(0.75);
  EXPECT_THAT(Plan(config_).injected_labels(), ElementsAre("uniform"));  // a parent needs weights 0 and 1
}

TEST_F(PhasePlanTest, SnapshotGivesTheSameCandidates) {
  const PhasePlan plan = Plan(config_);
  const auto optimizer = plan.NewOptimizer();
  std::vector<Evaluation> evaluations;
  for (int i = 0; i < plan.population(); ++i) evaluations.push_back({.fitness = 0.1 * i});
  ASSERT_TRUE((*optimizer)->Tell(evaluations).ok());
  const auto restored = plan.Restore((*optimizer)->Snapshot());
  ASSERT_TRUE(restored.ok()) << restored.status();
  EXPECT_EQ((*restored)->Ask(), (*optimizer)->Ask());
}

}  // namespace
}  // namespace heterosis
