// SPDX-License-Identifier: Apache-2.0
// Tests what only the mixed optimizer has: bits, real genes without effect, and moves.
#include "coordinator/optimizer/mixed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace heterosis {
namespace {

using Kind = OptimizerOptions::Kind;
using Genome = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// `bits` bits, then as many real genes, each of which counts only where its bit is 1.
OptimizerOptions Options(size_t bits, uint64_t seed = 1) {
  const size_t n = 2 * bits;
  OptimizerOptions options;
  options.kind = Kind::kMixed;
  options.dimension = static_cast<int>(n);
  options.population = 20;
  options.mean.assign(n, 0.5);
  options.sigma = 1.0 / 6;
  options.lower.assign(n, 0.0);
  options.upper.assign(n, 1.0);
  options.steps.assign(n, 0.0);
  std::fill_n(options.steps.begin(), bits, 1.0);
  options.seed = seed;
  options.active = [bits](std::span<const double> genome, std::span<char> active) {
    for (size_t i = 0; i < bits; ++i) active[bits + i] = genome[i] > 0.5 ? 1 : 0;
  };
  return options;
}

std::unique_ptr<Optimizer> Make(const OptimizerOptions& options) {
  absl::StatusOr<std::unique_ptr<Optimizer>> optimizer = MakeOptimizer(options);
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return *std::move(optimizer);
}

std::vector<Evaluation> Evaluate(const std::vector<Genome>& genomes,
                                 const std::function<double(const Genome&)>& score) {
  std::vector<Evaluation> evaluations;
  for (const Genome& genome : genomes) evaluations.push_back({score(genome)});
  return evaluations;
}

void FlipOneBit(std::span<double> genome, RandomStream& random) {
  double& gene = genome[random.NextBelow(genome.size() / 2)];
  gene = 1 - gene;
}

TEST(MixedTest, BitsAreOneOfTheBounds) {
  OptimizerOptions options = Options(4);
  options.lower[2] = -3;
  options.steps[2] = 4;
  const std::unique_ptr<Optimizer> optimizer = Make(options);
  std::set<double> values;
  for (const Genome& genome : optimizer->Ask()) {
    EXPECT_TRUE(genome[0] == 0 || genome[0] == 1);
    values.insert(genome[2]);
  }
  EXPECT_EQ(values, (std::set<double>{-3, 1}));
}

// A mean two standard deviations above the threshold is a bit that is 1 in 97.7% of the candidates.
TEST(MixedTest, StartFollowsTheMeanOfAThresholdedGaussian) {
  OptimizerOptions options = Options(2);
  options.mean = {0.5 + 2.0 / 6, 0.5 - 1.0 / 6, 0.5, 0.5};
  options.population = 20'000;
  double first = 0;
  double second = 0;
  for (const Genome& genome : Make(options)->Ask()) {
    first += genome[0] / 20'000;
    second += genome[1] / 20'000;
  }
  // The margin of two bits, 1 - 0.73^(1/2), is above 1 - 0.977.
  EXPECT_NEAR(first, std::sqrt(0.73), 0.01);
  EXPECT_NEAR(second, 0.1587, 0.01);
}

TEST(MixedTest, GeneWithoutEffectIsNotDrawn) {
  const std::unique_ptr<Optimizer> optimizer = Make(Options(6));
  int drawn = 0;
  for (int g = 0; g < 5; ++g) {
    const Genome mean = optimizer->mean();
    const std::vector<Genome> genomes = optimizer->Ask();
    for (const Genome& genome : genomes) {
      for (size_t i = 0; i < 6; ++i) {
        if (genome[i] == 0) {
          EXPECT_EQ(genome[6 + i], mean[6 + i]);
        }
        if (genome[i] == 1) drawn += genome[6 + i] != mean[6 + i] ? 1 : 0;
      }
    }
    ASSERT_TRUE(optimizer->Tell(Evaluate(genomes, [](const Genome& x) { return x[0] + x[7]; })).ok());
  }
  EXPECT_GT(drawn, 100);
}

// The best candidates all lack bit 0: nothing is learned about its real gene, though their values of it are known.
TEST(MixedTest, CandidatesWithoutAnEffectTeachNothingAboutAGene) {
  const std::unique_ptr<Optimizer> optimizer = Make(Options(6));
  const std::vector<Genome> genomes = optimizer->Ask();
  ASSERT_GT(std::count_if(genomes.begin(), genomes.end(), [](const Genome& x) { return x[0] == 0; }), 3);
  std::vector<Evaluation> evaluations;
  for (const Genome& genome : genomes) evaluations.push_back({genome[6 + 1], genome[0] == 0});
  ASSERT_TRUE(optimizer->Tell(evaluations).ok());
  EXPECT_EQ(optimizer->mean()[6], 0.5);
  EXPECT_NE(optimizer->mean()[7], 0.5);
}

TEST(MixedTest, FindsBitsAndTheValuesThatBelongToThem) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::unique_ptr<Optimizer> optimizer = Make(Options(20, seed));
    // Even bits are worth having, and more so with their value at 0.7; odd ones cost.
    const auto score = [](const Genome& x) {
      double sum = 0;
      for (size_t i = 0; i < 20; ++i) {
        const double distance = x[20 + i] - 0.7;
        sum += i % 2 == 1 ? -x[i] : x[i] * (1 - distance * distance);
      }
      return sum;
    };
    for (int g = 0; g < 200; ++g) ASSERT_TRUE(optimizer->Tell(Evaluate(optimizer->Ask(), score)).ok());
    EXPECT_GT(score(optimizer->mean()), 10 - 1e-4) << seed;
  }
}

TEST(MixedTest, FailedCandidatesAreNoParents) {
  const std::unique_ptr<Optimizer> optimizer = Make(Options(8));
  for (int g = 0; g < 40; ++g) {
    std::vector<Evaluation> evaluations;
    for (const Genome& genome : optimizer->Ask()) evaluations.push_back({0.5, genome[0] == 1 && genome[1] == 0});
    ASSERT_TRUE(optimizer->Tell(evaluations).ok());
  }
  EXPECT_EQ(optimizer->mean()[0], 1);
  EXPECT_EQ(optimizer->mean()[1], 0);
}

TEST(MixedTest, MovesCopyTheBestOfTheLastGeneration) {
  OptimizerOptions options = Options(30);
  options.mutate = FlipOneBit;
  options.move_probability = 1;
  const std::unique_ptr<Optimizer> optimizer = Make(options);
  const auto bits = [](const Genome& genome) { return Genome(genome.begin(), genome.begin() + 30); };
  const auto score = [&](const Genome& x) {
    const Genome b = bits(x);
    return static_cast<double>(std::count(b.begin(), b.end(), 1.0));
  };
  const std::vector<Genome> first = optimizer->Ask();
  const Genome best = *std::max_element(first.begin(), first.end(),
                                        [&](const Genome& a, const Genome& b) { return score(a) < score(b); });
  ASSERT_TRUE(optimizer->Tell(Evaluate(first, score)).ok());
  const std::vector<Genome> second = optimizer->Ask();
  EXPECT_EQ(second[0], best) << "scored again";
  for (size_t i = 1; i < second.size(); ++i) {
    int least = 30;
    for (const Genome& parent : first) {
      int differences = 0;
      for (size_t j = 0; j < 30; ++j) differences += parent[j] != second[i][j] ? 1 : 0;
      least = std::min(least, differences);
    }
    EXPECT_EQ(least, 1);
  }
}

TEST(MixedTest, WithoutProbabilityOrMutationThereAreNoMoves) {
  OptimizerOptions off = Options(10);
  off.mutate = FlipOneBit;
  off.move_probability = 0;
  const std::unique_ptr<Optimizer> without = Make(Options(10));
  const std::unique_ptr<Optimizer> with = Make(off);
  for (int g = 0; g < 3; ++g) {
    EXPECT_EQ(without->Ask(), with->Ask());
    const auto score = [](const Genome& x) { return x[0] + x[1]; };
    ASSERT_TRUE(without->Tell(Evaluate(without->Ask(), score)).ok());
    ASSERT_TRUE(with->Tell(Evaluate(with->Ask(), score)).ok());
  }
}

TEST(MixedTest, MovesStayInTheBoundsAndOnTheBits) {
  OptimizerOptions options = Options(5);
  options.mutate = [](std::span<double> genome, RandomStream& random) {
    for (double& gene : genome) gene = 6 * random.NextUniform() - 3;
  };
  options.move_probability = 1;
  const std::unique_ptr<Optimizer> optimizer = Make(options);
  for (int g = 0; g < 10; ++g) {
    for (const Genome& genome : optimizer->Ask()) {
      for (size_t i = 0; i < 5; ++i) EXPECT_TRUE(genome[i] == 0 || genome[i] == 1);
      for (const double gene : genome) EXPECT_TRUE(gene >= 0 && gene <= 1);
    }
    ASSERT_TRUE(optimizer->Tell(Evaluate(optimizer->Ask(), [](const Genome& x) { return x[7]; })).ok());
  }
}

TEST(MixedTest, GenerationThatFailsWhollyKeepsTheBestForMoves) {
  OptimizerOptions options = Options(10);
  options.mutate = FlipOneBit;
  const std::unique_ptr<Optimizer> optimizer = Make(options);
  ASSERT_TRUE(optimizer->Tell(Evaluate(optimizer->Ask(), [](const Genome& x) { return x[3]; })).ok());
  const Genome best = optimizer->Ask()[0];
  ASSERT_TRUE(optimizer->Tell(std::vector<Evaluation>(20, {kNan})).ok());
  EXPECT_EQ(optimizer->Ask()[0], best);
}

}  // namespace
}  // namespace heterosis
