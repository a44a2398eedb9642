// SPDX-License-Identifier: Apache-2.0
// Tests what an experiment relies on, for every kind of optimizer: determinism, bounds, snapshots, failed candidates.
#include "coordinator/optimizer/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace heterosis {
namespace {

using Kind = OptimizerOptions::Kind;
using Bounds = OptimizerOptions::Bounds;
using StepSize = OptimizerOptions::StepSize;
using Genomes = std::vector<std::vector<double>>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Variant {
  std::string name;
  Kind kind = Kind::kCma;
  Bounds bounds = Bounds::kClip;
  StepSize step_size = StepSize::kCsa;
  int dimension = 7;
  size_t bits = 0;     // the first genes are discrete, with two values
  bool moves = false;  // of mixed
};

OptimizerOptions OptionsOf(const Variant& variant) {
  const size_t n = static_cast<size_t>(variant.dimension);
  OptimizerOptions options;
  options.kind = variant.kind;
  options.dimension = variant.dimension;
  options.mean.assign(n, 0.5);
  options.mean[0] = 0.9;
  options.sigma = 1.0 / 6;
  options.lower.assign(n, 0.0);
  options.upper.assign(n, 1.0);
  options.seed = 42;
  options.bounds = variant.bounds;
  options.step_size = variant.step_size;
  if (variant.kind == Kind::kCmaMargin || variant.kind == Kind::kMixed) options.steps.assign(n, 0.0);
  std::fill_n(options.steps.begin(), variant.bits, 1.0);
  if (variant.moves) {
    options.active = [](std::span<const double> genome, std::span<char> active) {
      active.back() = genome[0] == 1 ? 1 : 0;
    };
    options.mutate = [](std::span<double> genome, RandomStream& random) { genome[random.NextBelow(3)] = 1; };
  }
  return options;
}

std::unique_ptr<Optimizer> Make(const OptimizerOptions& options) {
  absl::StatusOr<std::unique_ptr<Optimizer>> optimizer = MakeOptimizer(options);
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return optimizer.ok() ? *std::move(optimizer) : nullptr;
}

// A peak at 0.8 in every gene.
std::vector<Evaluation> Peak(const Genomes& genomes) {
  std::vector<Evaluation> evaluations;
  for (const std::vector<double>& genome : genomes) {
    double distance = 0;
    for (const double gene : genome) distance += (gene - 0.8) * (gene - 0.8);
    evaluations.push_back({-distance});
  }
  return evaluations;
}

void Advance(Optimizer& optimizer, int generations) {
  for (int i = 0; i < generations; ++i) ASSERT_TRUE(optimizer.Tell(Peak(optimizer.Ask())).ok());
}

void ExpectInUnitBox(const Optimizer& optimizer) {
  for (const std::vector<double>& genome : optimizer.Ask()) {
    for (const double gene : genome) ASSERT_TRUE(gene >= 0 && gene <= 1) << gene;
  }
  for (const double gene : optimizer.mean()) ASSERT_TRUE(gene >= 0 && gene <= 1) << gene;
  ASSERT_TRUE(std::isfinite(optimizer.sigma()) && optimizer.sigma() > 0) << optimizer.sigma();
}

class OptimizerTest : public testing::TestWithParam<Variant> {
 protected:
  const OptimizerOptions options_ = OptionsOf(GetParam());
};

TEST_P(OptimizerTest, AskIsAFunctionOfTheState) {
  const std::unique_ptr<Optimizer> one = Make(options_);
  const std::unique_ptr<Optimizer> other = Make(options_);
  for (int i = 0; i < 4; ++i) {
    const Genomes genomes = one->Ask();
    ASSERT_EQ(genomes.size(), static_cast<size_t>(one->population()));
    for (const std::vector<double>& genome : genomes) ASSERT_EQ(genome.size(), static_cast<size_t>(one->dimension()));
    EXPECT_EQ(one->Ask(), genomes);
    EXPECT_EQ(other->Ask(), genomes);
    Advance(*one, 1);
    EXPECT_NE(one->Ask(), genomes);
    Advance(*other, 1);
  }
}

TEST_P(OptimizerTest, SeedAndPhaseGiveOtherGenomes) {
  const Genomes genomes = Make(options_)->Ask();
  OptimizerOptions seed = options_;
  seed.seed = 43;
  OptimizerOptions phase = options_;
  phase.phase = 1;
  EXPECT_NE(Make(seed)->Ask(), genomes);
  EXPECT_NE(Make(phase)->Ask(), genomes);
  EXPECT_NE(Make(seed)->Ask(), Make(phase)->Ask());
}

TEST_P(OptimizerTest, TenGenerationsEqualFiveRestoredAndFive) {
  const std::unique_ptr<Optimizer> straight = Make(options_);
  Advance(*straight, 10);

  const std::unique_ptr<Optimizer> first = Make(options_);
  Advance(*first, 5);
  absl::StatusOr<std::unique_ptr<Optimizer>> second = RestoreOptimizer(options_, first->Snapshot());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->generation(), 5);
  EXPECT_EQ((*second)->Ask(), first->Ask());
  Advance(**second, 5);
  EXPECT_EQ((*second)->Ask(), straight->Ask());
  EXPECT_EQ((*second)->mean(), straight->mean());
  EXPECT_EQ((*second)->sigma(), straight->sigma());
  EXPECT_EQ((*second)->Snapshot(), straight->Snapshot());
}

TEST_P(OptimizerTest, WrongNumberOfEvaluationsIsRefusedWithoutEffect) {
  const std::unique_ptr<Optimizer> optimizer = Make(options_);
  const std::string before = optimizer->Snapshot();
  std::vector<Evaluation> evaluations = Peak(optimizer->Ask());
  evaluations.pop_back();
  EXPECT_EQ(optimizer->Tell(evaluations).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(optimizer->Tell({}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(optimizer->Snapshot(), before);
}

TEST_P(OptimizerTest, GenomesAndMeanStayInTheBounds) {
  const std::unique_ptr<Optimizer> optimizer = Make(options_);
  for (int i = 0; i < 30; ++i) {
    ExpectInUnitBox(*optimizer);
    std::vector<Evaluation> evaluations;  // pulls every gene beyond its upper bound
    for (const std::vector<double>& genome : optimizer->Ask()) {
      double sum = 0;
      for (const double gene : genome) sum += gene;
      evaluations.push_back({sum});
    }
    ASSERT_TRUE(optimizer->Tell(evaluations).ok());
  }
}

TEST_P(OptimizerTest, InjectedPointsAreTheFirstCandidatesOfTheFirstGeneration) {
  OptimizerOptions options = options_;
  const size_t n = static_cast<size_t>(options.dimension);
  options.injected = {std::vector<double>(n, 0.25), std::vector<double>(n, 2.0)};
  const std::unique_ptr<Optimizer> optimizer = Make(options);
  const Genomes genomes = optimizer->Ask();
  for (size_t j = 0; j < n; ++j) EXPECT_EQ(genomes[0][j], j < GetParam().bits ? 0 : 0.25) << "bits are rounded";
  EXPECT_EQ(genomes[1], std::vector<double>(n, 1.0)) << "clipped";
  EXPECT_EQ(genomes[2], Make(options_)->Ask()[2]) << "the others are as without";
  Advance(*optimizer, 1);
  EXPECT_NE(optimizer->Ask()[0], genomes[0]);
  ExpectInUnitBox(*optimizer);
}

TEST_P(OptimizerTest, AllEqualGenerationsNeverEndTheSearch) {
  const std::unique_ptr<Optimizer> optimizer = Make(options_);
  for (int i = 0; i < 300; ++i) {
    const std::vector<Evaluation> equal(static_cast<size_t>(optimizer->population()), {0.25});
    ASSERT_TRUE(optimizer->Tell(equal).ok());
  }
  EXPECT_EQ(optimizer->generation(), 300);
  ExpectInUnitBox(*optimizer);
}

TEST_P(OptimizerTest, FailedCandidatesNeverPoisonTheState) {
  const std::unique_ptr<Optimizer> optimizer = Make(options_);
  for (int i = 0; i < 60; ++i) {
    std::vector<Evaluation> evaluations = Peak(optimizer->Ask());
    for (size_t k = 0; k < evaluations.size(); ++k) {
      const size_t kind = (k + static_cast<size_t>(i)) % 6;
      if (kind == 0) evaluations[k].fitness = kNan;
      if (kind == 1) evaluations[k].fitness = std::numeric_limits<double>::infinity();
      if (kind == 2) evaluations[k] = {1e300, false};
    }
    ASSERT_TRUE(optimizer->Tell(evaluations).ok());
    ExpectInUnitBox(*optimizer);
  }
}

TEST_P(OptimizerTest, GenerationWithoutAValidCandidateOnlyAdvances) {
  const std::unique_ptr<Optimizer> optimizer = Make(options_);
  Advance(*optimizer, 2);
  const Genomes genomes = optimizer->Ask();
  const std::vector<double> mean = optimizer->mean();
  const double sigma = optimizer->sigma();
  ASSERT_TRUE(optimizer->Tell(std::vector<Evaluation>(genomes.size(), {kNan})).ok());
  EXPECT_EQ(optimizer->generation(), 3);
  EXPECT_EQ(optimizer->mean(), mean);
  EXPECT_EQ(optimizer->sigma(), sigma);
  EXPECT_NE(optimizer->Ask(), genomes) << "the next generation tries other points";
}

INSTANTIATE_TEST_SUITE_P(
    Variants, OptimizerTest,
    testing::Values(Variant{"Csa"}, Variant{"CsaResample", Kind::kCma, Bounds::kResample},
                    Variant{"Tpa", Kind::kCma, Bounds::kClip, StepSize::kTpa},
                    Variant{"TpaResample", Kind::kCma, Bounds::kResample, StepSize::kTpa},
                    Variant{"OneGene", Kind::kCma, Bounds::kClip, StepSize::kCsa, 1},
                    // Large enough that decompositions are lazy: the snapshot falls between two of them.
                    Variant{"Lazy", Kind::kCma, Bounds::kClip, StepSize::kAuto, 300}, Variant{"Random", Kind::kRandom},
                    Variant{"SepCsa", Kind::kSepCma}, Variant{"SepResample", Kind::kSepCma, Bounds::kResample},
                    Variant{"SepTpa", Kind::kSepCma, Bounds::kClip, StepSize::kTpa},
                    Variant{"SepOneGene", Kind::kSepCma, Bounds::kClip, StepSize::kCsa, 1},
                    Variant{"Margin", Kind::kCmaMargin, Bounds::kClip, StepSize::kCsa, 7, 3},
                    Variant{"MarginResampleTpa", Kind::kCmaMargin, Bounds::kResample, StepSize::kTpa, 7, 3},
                    Variant{"MarginOfBits", Kind::kCmaMargin, Bounds::kClip, StepSize::kCsa, 16, 16},
                    Variant{"MarginOfReals", Kind::kCmaMargin, Bounds::kClip, StepSize::kCsa, 7, 0},
                    Variant{"Mixed", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 7, 3},
                    Variant{"MixedMoves", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 7, 3, true},
                    Variant{"MixedResample", Kind::kMixed, Bounds::kResample, StepSize::kAuto, 80, 30, true},
                    Variant{"MixedOfBits", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 16, 16},
                    Variant{"MixedOfReals", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 7, 0}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(CmaTest, InvalidRanksBehindTheWorstValid) {
  const OptimizerOptions options = OptionsOf({"Csa"});
  const std::unique_ptr<Optimizer> failed = Make(options);
  const std::unique_ptr<Optimizer> worst = Make(options);
  std::vector<Evaluation> evaluations = Peak(failed->Ask());
  evaluations[3] = {1e9, false};
  ASSERT_TRUE(failed->Tell(evaluations).ok());
  evaluations[3] = {-1e9};
  ASSERT_TRUE(worst->Tell(evaluations).ok());
  EXPECT_EQ(failed->Ask(), worst->Ask());
  EXPECT_EQ(failed->mean(), worst->mean());
}

TEST(CmaTest, StepSizeIsTwoPointFrom64Dimensions) {
  for (const int dimension : {63, 64}) {
    const OptimizerOptions automatic = OptionsOf({"", Kind::kCma, Bounds::kClip, StepSize::kAuto, dimension});
    const StepSize expected = dimension < 64 ? StepSize::kCsa : StepSize::kTpa;
    const OptimizerOptions chosen = OptionsOf({"", Kind::kCma, Bounds::kClip, expected, dimension});
    EXPECT_EQ(Make(automatic)->Snapshot(), Make(chosen)->Snapshot()) << dimension;
  }
}

TEST(CmaTest, DefaultPopulation) {
  EXPECT_EQ(Make(OptionsOf({"", Kind::kCma, Bounds::kClip, StepSize::kCsa, 6}))->population(), 9);
  EXPECT_EQ(Make(OptionsOf({"", Kind::kCma, Bounds::kClip, StepSize::kCsa, 450}))->population(), 22);
}

TEST(CmaTest, ResamplingPutsFewerGenesOnTheBoundsThanClipping) {
  const auto on_bounds = [](Bounds bounds) {
    OptimizerOptions options = OptionsOf({"", Kind::kCma, bounds});
    options.population = 100;
    int count = 0;
    for (const std::vector<double>& genome : Make(options)->Ask()) {
      for (const double gene : genome) count += gene == 0 || gene == 1 ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(on_bounds(Bounds::kResample), 0);
  EXPECT_GT(on_bounds(Bounds::kClip), 10);
}

TEST(RestoreTest, RefusesOtherOptionsAndNamesThem) {
  const OptimizerOptions options = OptionsOf({"Csa"});
  const std::string snapshot = Make(options)->Snapshot();
  const auto message = [&](const OptimizerOptions& other) {
    const absl::Status status = RestoreOptimizer(other, snapshot).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    return std::string(status.message());
  };
  OptimizerOptions other = options;
  other.seed = 1;
  other.sigma = 0.25;
  EXPECT_THAT(message(other), testing::AllOf(testing::HasSubstr("sigma (snapshot 0.166667, options 0.25)"),
                                             testing::HasSubstr("seed (snapshot 42, options 1)")));
  EXPECT_THAT(message(OptionsOf({"", Kind::kCma, Bounds::kClip, StepSize::kCsa, 8})),
              testing::HasSubstr("dimension (snapshot 7, options 8)"));
  EXPECT_THAT(message(OptionsOf({"", Kind::kRandom})), testing::HasSubstr("kind (snapshot cma, options random)"));
  other = options;
  other.step_size = StepSize::kTpa;
  other.bounds = Bounds::kResample;
  other.injected = {std::vector<double>(7, 0.1)};
  EXPECT_THAT(message(other), testing::AllOf(testing::HasSubstr("step_size (snapshot csa, options tpa)"),
                                             testing::HasSubstr("bounds"), testing::HasSubstr("injected")));
  other = options;
  other.mean[2] = 0.25;
  other.upper[1] = 2;
  other.lower[1] = -2;
  other.phase = 3;
  other.max_resampling = 5;
  other.population = 20;
  for (const char* name : {"mean", "upper", "lower", "phase", "max_resampling", "population"}) {
    EXPECT_THAT(message(other), testing::HasSubstr(name));
  }
}

TEST(RestoreTest, RefusesOtherStepsAndMoves) {
  const OptimizerOptions options = OptionsOf({"", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 7, 3, true});
  const std::string snapshot = Make(options)->Snapshot();
  OptimizerOptions other = options;
  other.steps[2] = 0;
  other.active = nullptr;
  other.mutate = nullptr;
  other.move_probability = 0.5;
  const std::string message(RestoreOptimizer(other, snapshot).status().message());
  for (const char* name : {"steps", "active (snapshot 1, options 0)", "mutate (snapshot 1", "move_probability"}) {
    EXPECT_THAT(message, testing::HasSubstr(name));
  }
}

TEST(RestoreTest, RefusesDamagedBytes) {
  const OptimizerOptions options = OptionsOf({"Csa"});
  std::string snapshot = Make(options)->Snapshot();
  snapshot[snapshot.size() / 2] = static_cast<char>(snapshot[snapshot.size() / 2] ^ 4);
  EXPECT_EQ(RestoreOptimizer(options, snapshot).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(RestoreOptimizer(options, "").status().code(), absl::StatusCode::kDataLoss);
}

TEST(MakeOptimizerTest, WrongOptionsAreRefusedByName) {
  const OptimizerOptions good = OptionsOf({"Csa"});
  const auto refused = [&](auto change, const char* word) {
    OptimizerOptions options = good;
    change(options);
    const absl::Status status = MakeOptimizer(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << word;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(word));
  };
  refused([](OptimizerOptions& o) { o.dimension = 0; }, "dimension");
  refused([](OptimizerOptions& o) { o.population = 1; }, "population");
  refused([](OptimizerOptions& o) { o.population = -3; }, "population");
  refused([](OptimizerOptions& o) { o.sigma = 0; }, "sigma");
  refused([](OptimizerOptions& o) { o.sigma = kNan; }, "sigma");
  refused([](OptimizerOptions& o) { o.mean.pop_back(); }, "mean");
  refused([](OptimizerOptions& o) { o.mean[1] = kNan; }, "mean[1]");
  refused([](OptimizerOptions& o) { o.mean[1] = 1.5; }, "mean is outside the bounds");
  refused([](OptimizerOptions& o) { o.lower.clear(); }, "lower");
  refused([](OptimizerOptions& o) { o.upper[2] = o.lower[2]; }, "upper[2]");
  refused([](OptimizerOptions& o) { o.lower[2] = kNan; }, "lower[2]");
  refused([](OptimizerOptions& o) { o.max_resampling = -1; }, "max_resampling");
  refused([](OptimizerOptions& o) { o.injected = {{0.5}}; }, "injected[0]");
  refused([](OptimizerOptions& o) { o.injected.assign(100, o.mean); }, "injected");
  refused([](OptimizerOptions& o) { o.population = 3, o.step_size = StepSize::kTpa; }, "tpa");
  refused([](OptimizerOptions& o) { o.kind = Kind::kRandom, o.lower.clear(), o.upper.clear(); }, "bounds");
  refused([](OptimizerOptions& o) { o.steps.assign(7, 0.5); }, "steps");
  refused([](OptimizerOptions& o) { o.move_probability = 1.5; }, "move_probability");
  refused([](OptimizerOptions& o) { o.mutate = [](std::span<double>, RandomStream&) {}; }, "mutate");
}

TEST(MakeOptimizerTest, WrongStepsAreRefusedByName) {
  for (const Kind kind : {Kind::kCmaMargin, Kind::kMixed}) {
    const OptimizerOptions good = OptionsOf({"", kind, Bounds::kClip, StepSize::kCsa, 7, 2});
    EXPECT_TRUE(MakeOptimizer(good).ok());
    const auto refused = [&](auto change, const char* word) {
      OptimizerOptions options = good;
      change(options);
      const absl::Status status = MakeOptimizer(options).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << word;
      EXPECT_THAT(std::string(status.message()), testing::HasSubstr(word));
    };
    refused([](OptimizerOptions& o) { o.steps.pop_back(); }, "steps has 6");
    refused([](OptimizerOptions& o) { o.steps.clear(); }, "steps has 0");
    refused([](OptimizerOptions& o) { o.lower.clear(), o.upper.clear(); }, "lower");
    refused([](OptimizerOptions& o) { o.steps[1] = 0.3; }, "steps[1]");
    refused([](OptimizerOptions& o) { o.steps[1] = -1; }, "steps[1]");
    refused([](OptimizerOptions& o) { o.steps[1] = 2; }, "steps[1]");
    refused([](OptimizerOptions& o) { o.steps[1] = kNan; }, "steps[1]");
    refused([](OptimizerOptions& o) { o.upper[1] = std::numeric_limits<double>::infinity(); }, "steps[1]");
    refused([](OptimizerOptions& o) { o.population = 1; }, "population");
  }
  OptimizerOptions mixed = OptionsOf({"", Kind::kMixed, Bounds::kClip, StepSize::kCsa, 7, 2});
  mixed.steps[1] = 0.25;
  EXPECT_THAT(std::string(MakeOptimizer(mixed).status().message()), testing::HasSubstr("steps[1]"));
  mixed.steps[1] = 1;
  mixed.step_size = StepSize::kTpa;
  EXPECT_THAT(std::string(MakeOptimizer(mixed).status().message()), testing::HasSubstr("tpa"));
}

}  // namespace
}  // namespace heterosis
