// SPDX-License-Identifier: Apache-2.0
// Tests the separable CMA-ES of genes that are active in some candidates only.
#include "coordinator/optimizer/partial_reals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "coordinator/optimizer/generation.h"

namespace heterosis {
namespace {

constexpr int kPopulation = 20;

// One generation of candidates in which each gene is active with its own probability; the parents are the better half
// by `score`, which may see a candidate's values and active genes.
class Search {
 public:
  using Score = std::function<double(const std::vector<double>& values, const std::vector<char>& active)>;

  Search(std::vector<double> chances, uint64_t seed) : chances_(std::move(chances)), random_(RandomKey({seed})) {
    options_.seed = seed;
    const size_t n = chances_.size();
    state_ = InitialPartialReals(std::vector<double>(n, 0.0), 1.0);
  }

  void Advance(const Score& score) {
    const size_t n = chances_.size();
    std::vector<std::vector<double>> values(kPopulation, state_.mean);
    std::vector<std::vector<char>> active(kPopulation, std::vector<char>(n));
    std::vector<double> scores;
    for (size_t i = 0; i < values.size(); ++i) {
      for (size_t j = 0; j < n; ++j) active[i][j] = random_.NextUniform() < chances_[j] ? 1 : 0;
      DrawReals(state_, Box(), 0, i, active[i], KeyedNormals(options_, generation_), values[i]);
      scores.push_back(score(values[i], active[i]));
    }
    std::vector<size_t> order(kPopulation);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    const CmaConstants k = MakeSepCmaConstants(static_cast<int>(n), kPopulation);
    std::vector<RealParent> parents;
    for (size_t i = 0; i < k.weights.size(); ++i) {
      parents.push_back({values[order[i]], active[order[i]], k.weights[i], false});
    }
    UpdateReals(kPopulation, parents, Box(), state_);
    ++generation_;
  }

  const PartialReals& state() const { return state_; }
  RandomStream& random() { return random_; }

 private:
  std::vector<double> chances_;
  RandomStream random_;
  OptimizerOptions options_;
  int64_t generation_ = 0;
  PartialReals state_;
};

// The step size must not shrink or grow because genes are inert: under random selection it stays what it was.
TEST(PartialRealsTest, RandomSelectionKeepsTheStepSize) {
  for (const double chance : {1.0, 0.3, 0.05}) {
    std::vector<double> logs;
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      Search search(std::vector<double>(200, chance), seed);
      for (int g = 0; g < 100; ++g)
        search.Advance([&](const auto&, const auto&) { return search.random().NextUniform(); });
      logs.push_back(std::log(search.state().sigma));
      const std::vector<double>& variances = search.state().variances;
      EXPECT_NEAR(std::accumulate(variances.begin(), variances.end(), 0.0) / 200, 1, 0.5) << chance;
    }
    EXPECT_NEAR(std::accumulate(logs.begin(), logs.end(), 0.0) / 10, 0, 0.5) << chance;
  }
}

TEST(PartialRealsTest, GeneThatIsNeverActiveKeepsItsDistribution) {
  std::vector<double> chances(10, 1.0);
  chances[4] = 0;
  Search search(chances, 3);
  for (int g = 0; g < 50; ++g) {
    search.Advance([](const std::vector<double>& x, const auto&) { return -std::abs(x[0] - 3); });
  }
  EXPECT_EQ(search.state().mean[4], 0);
  EXPECT_EQ(search.state().variances[4], 1);
  EXPECT_EQ(search.state().p_sigma[4], 0);
  EXPECT_NEAR(search.state().mean[0], 3, 0.5);
}

TEST(PartialRealsTest, GenesThatAreSeldomActiveAreLearnedToo) {
  std::vector<double> chances(12, 1.0);
  for (size_t j = 6; j < 12; ++j) chances[j] = 0.3;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Search search(chances, seed);
    for (int g = 0; g < 400; ++g) {
      search.Advance([](const std::vector<double>& x, const std::vector<char>& active) {
        double loss = 0;
        for (size_t j = 0; j < x.size(); ++j) loss += active[j] != 0 ? (x[j] - 2) * (x[j] - 2) : 0;
        return -loss;
      });
    }
    for (const double mean : search.state().mean) EXPECT_NEAR(mean, 2, 0.05) << seed;
  }
}

TEST(PartialRealsTest, ForeignParentIsFollowedWithALimitedStep) {
  PartialReals free = InitialPartialReals(std::vector<double>(8, 0.0), 0.01);
  PartialReals limited = free;
  const std::vector<double> values(8, 1.0);
  std::vector<char> active(8, 1);
  active[7] = 0;
  UpdateReals(kPopulation, std::vector<RealParent>{{values, active, 0.5, false}}, Box(), free);
  UpdateReals(kPopulation, std::vector<RealParent>{{values, active, 0.5, true}}, Box(), limited);
  EXPECT_NEAR(free.mean[0], 0.5, 1e-12);
  EXPECT_NEAR(limited.mean[0], 0.5 * 0.01 * InjectedLengthMax(7) / std::sqrt(7.0), 1e-12);
  EXPECT_EQ(limited.mean[7], 0);
}

}  // namespace
}  // namespace heterosis
