// SPDX-License-Identifier: Apache-2.0
// A phase of a config as search space, optimizer and budget.
#include "coordinator/experiment/phase_plan.h"

#include "gmock/gmock.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::Ne;

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

// A phase in data-flow space: A is the phase "ps", of 4 layers as B is; 8 layers in two repeats are 16 slots.
class PathPlanTest : public ::testing::Test {
 protected:
  static constexpr size_t kSlots = 16;

  PhasePlan PlanWith(v1::Optimizer::Kind kind) {
    ExperimentSetup setup = TwoPhaseSetup();
    setup.config.mutable_phases(1)->mutable_optimizer()->set_kind(kind);
    absl::StatusOr<PhasePlan> plan = PhasePlan::Create(setup.config, 1, setup.model_layers);
    EXPECT_TRUE(plan.ok()) << plan.status();
    plan->UseWinners(setup.config, {{"ps", SingleModelRecipe("ja", "ja", DType::kFloat32)}});
    return *std::move(plan);
  }

  // Tells an optimizer one generation in which candidates are the better the later they come.
  static void TellOne(Optimizer& optimizer) {
    std::vector<Evaluation> evaluations;
    for (int i = 0; i < optimizer.population(); ++i) evaluations.push_back({.fitness = 0.1 * i});
    ASSERT_TRUE(optimizer.Tell(evaluations).ok());
  }
};

TEST_F(PathPlanTest, IndicatorsAreBitsForTheOptimizersThatKnowBits) {
  for (const auto kind : {v1::Optimizer::MIXED, v1::Optimizer::CMA_MARGIN}) {
    const auto optimizer = PlanWith(kind).NewOptimizer().value();
    for (int generation = 0; generation < 3; ++generation) {
      for (const std::vector<double>& unit : optimizer->Ask()) {
        ASSERT_EQ(unit.size(), 2 * kSlots);  // an indicator and a scale a slot
        EXPECT_THAT(std::vector<double>(unit.begin(), unit.begin() + kSlots), Each(AnyOf(0.0, 1.0)));
      }
      TellOne(*optimizer);
    }
    // Scales are real: not all of them lie on the bounds or in the middle.
    const std::vector<double> last = optimizer->Ask().back();
    EXPECT_THAT(std::vector<double>(last.begin() + kSlots, last.end()), Contains(AllOf(Ne(0.0), Ne(0.5), Ne(1.0))));
  }
}

TEST_F(PathPlanTest, OtherOptimizersGetThresholdedIndicators) {
  const std::vector<double> unit = PlanWith(v1::Optimizer::SEP_CMA).NewOptimizer().value()->Ask().back();
  EXPECT_THAT(std::vector<double>(unit.begin(), unit.begin() + kSlots), Contains(AllOf(Gt(0.0), Lt(1.0))));
}

TEST_F(PathPlanTest, MixedDrawsNoScalesOfHopsThatAreNotOnThePath) {
  const PhasePlan plan = PlanWith(v1::Optimizer::MIXED);
  const auto optimizer = plan.NewOptimizer().value();
  const std::vector<double> mean = optimizer->mean();
  size_t inert = 0;
  for (const std::vector<double>& unit : optimizer->Ask()) {
    std::vector<char> active(unit.size(), 1);
    plan.space().MarkActive(plan.ToGenome(unit), active);
    for (size_t i = kSlots; i < unit.size(); ++i) {
      if (active[i] != 0) continue;
      EXPECT_EQ(unit[i], mean[i]);
      ++inert;
    }
  }
  EXPECT_GT(inert, 0u);
}

TEST_F(PathPlanTest, TheFirstCandidateIsAsOwnPathUnscaled) {
  for (const auto kind : {v1::Optimizer::MIXED, v1::Optimizer::CMA_MARGIN, v1::Optimizer::CMA}) {
    const PhasePlan plan = PlanWith(kind);
    EXPECT_THAT(plan.injected_labels(), ElementsAre("ps"));
    const Recipe first = plan.space().Decode(plan.ToGenome(plan.NewOptimizer().value()->Ask()[0]));
    EXPECT_THAT(first.path, ElementsAre(Hop{0, 0}, Hop{0, 1}, Hop{0, 2}, Hop{0, 3}));
  }
}

TEST_F(PathPlanTest, SnapshotGivesTheSamePathsWithMovesAndAll) {
  for (const auto kind : {v1::Optimizer::MIXED, v1::Optimizer::CMA_MARGIN}) {
    const auto optimizer = PlanWith(kind).NewOptimizer().value();
    for (int generation = 0; generation < 2; ++generation) TellOne(*optimizer);
    const auto restored = PlanWith(kind).Restore(optimizer->Snapshot());
    ASSERT_TRUE(restored.ok()) << restored.status();
    EXPECT_EQ((*restored)->Ask(), optimizer->Ask());
    TellOne(*optimizer);
    TellOne(**restored);
    EXPECT_EQ((*restored)->Ask(), optimizer->Ask());
    EXPECT_EQ((*restored)->Snapshot(), optimizer->Snapshot());
  }
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
