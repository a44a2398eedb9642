// SPDX-License-Identifier: Apache-2.0
// Implements problems.h.
#include "tests/bench/optimizer/problems.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"

namespace heterosis {
namespace {

constexpr size_t kLayers = 32;  // 16 of A, then 16 of B
constexpr size_t kSlots = 2 * kLayers;
constexpr size_t kOwn = 16;  // A's first pass
constexpr size_t kRuns = 3;
constexpr size_t kRunLength = 4;
constexpr double kSigma = 1.0 / 6;  // as in compare_optimizers.cc

bool Taken(double gene) {
  return gene > 0.5;
}

Problem OfBits(std::string name, size_t bits) {
  Problem problem;
  problem.name = std::move(name);
  problem.bits = bits;
  problem.mean.assign(bits, 0.5);
  problem.optimum = problem.solved = static_cast<double>(bits);
  problem.mutate = [](std::span<double> genome, RandomStream& random) {
    double& gene = genome[random.NextBelow(genome.size())];
    gene = 1 - gene;
  };
  return problem;
}

struct HiddenRun {
  size_t start = 0;
  std::array<double, kRunLength> scales{};
};

// Disjoint runs, each within a pass of one model.
std::vector<HiddenRun> HideRuns(uint64_t seed) {
  RandomStream random(RandomKey({seed, 77}));
  std::vector<HiddenRun> runs;
  while (runs.size() < kRuns) {
    const size_t pass = 1 + random.NextBelow(3);  // of B, then A again, then B again
    HiddenRun run;
    run.start = pass * kOwn + random.NextBelow(kOwn - kRunLength + 1);
    for (double& scale : run.scales) scale = 0.5 + random.NextUniform();
    const bool overlaps = std::any_of(runs.begin(), runs.end(), [&](const HiddenRun& other) {
      return run.start < other.start + kRunLength && other.start < run.start + kRunLength;
    });
    if (!overlaps) runs.push_back(run);
  }
  return runs;
}

double PathScore(const std::vector<HiddenRun>& runs, const std::vector<double>& genome) {
  double score = 0.4;
  double extra = 0;
  for (size_t t = 0; t < kSlots; ++t) {
    if (t < kOwn && !Taken(genome[t])) score -= 0.05;
    if (t >= kOwn && Taken(genome[t])) ++extra;
  }
  for (const HiddenRun& run : runs) {
    double match = 0;
    bool whole = true;
    for (size_t i = 0; i < kRunLength; ++i) {
      whole = whole && Taken(genome[run.start + i]);
      const double distance = 2 * genome[kSlots + run.start + i] - run.scales[i];
      match += std::exp(-(distance / 0.2) * (distance / 0.2)) / kRunLength;
    }
    if (!whole) continue;
    score += 0.2 * match;
    extra -= kRunLength;
  }
  return score - 0.02 * extra;
}

// A random slot that is taken, or one that is not; kSlots where there is none.
size_t RandomSlot(std::span<const double> genome, bool taken, RandomStream& random) {
  std::vector<size_t> slots;
  for (size_t t = 0; t < kSlots; ++t) {
    if (Taken(genome[t]) == taken) slots.push_back(t);
  }
  return slots.empty() ? kSlots : slots[random.NextBelow(slots.size())];
}

void MutatePath(std::span<double> genome, RandomStream& random) {
  const uint64_t move = random.NextBelow(4);
  if (move == 3) {
    const size_t length = 2 + random.NextBelow(7);
    const size_t start = random.NextBelow(kSlots - length + 1);
    std::fill_n(genome.begin() + static_cast<std::ptrdiff_t>(start), length, 1.0);
    return;
  }
  const size_t in = move == 1 ? kSlots : RandomSlot(genome, false, random);
  const size_t out = move == 0 ? kSlots : RandomSlot(genome, true, random);
  if (in < kSlots) genome[in] = 1;
  if (out < kSlots) genome[out] = 0;
}

}  // namespace

Problem OneMax(size_t bits, double noise) {
  Problem problem = OfBits(absl::StrCat(noise > 0 ? "noisy " : "", "OneMax, n = ", bits), bits);
  problem.noise = noise;
  problem.score = [](const std::vector<double>& genome) {
    return static_cast<double>(std::count_if(genome.begin(), genome.end(), Taken));
  };
  return problem;
}

Problem LeadingOnes(size_t bits) {
  Problem problem = OfBits(absl::StrCat("LeadingOnes, n = ", bits), bits);
  problem.score = [](const std::vector<double>& genome) {
    return static_cast<double>(std::find_if_not(genome.begin(), genome.end(), Taken) - genome.begin());
  };
  return problem;
}

Problem DeceptivePath(uint64_t seed, double noise) {
  Problem problem;
  problem.name = absl::StrCat(noise > 0 ? "noisy " : "", "deceptive path, T = ", kSlots, " with scales");
  problem.bits = kSlots;
  problem.reals = kSlots;
  problem.mean.assign(2 * kSlots, 0.5);
  for (size_t t = 0; t < kSlots; ++t) problem.mean[t] = 0.5 + (t < kOwn ? 2 * kSigma : -kSigma);
  problem.optimum = 1;
  problem.solved = 0.97;
  problem.noise = noise;
  problem.score = [runs = HideRuns(seed)](const std::vector<double>& genome) { return PathScore(runs, genome); };
  problem.active = [](std::span<const double> genome, std::span<char> active) {
    for (size_t t = 0; t < kSlots; ++t) active[kSlots + t] = Taken(genome[t]) ? 1 : 0;
  };
  problem.mutate = MutatePath;
  return problem;
}

}  // namespace heterosis
