// SPDX-License-Identifier: Apache-2.0
// The data-flow space: which path a genome stands for, with which scales, and which paths are infeasible.
#include "common/genome/dfs_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A has 3 layers, B has 2; every layer is offered twice: slots 0-2 A, 3-4 B, 5-7 A, 8-9 B.
DfsSpaceOptions SmallOptions() {
  DfsSpaceOptions options;
  options.names = {"ja", "math"};
  options.layers = {3, 2};
  options.repeats = 2;
  return options;
}

DfsSpace Space(const DfsSpaceOptions& options) {
  absl::StatusOr<DfsSpace> space = DfsSpace::Create(options);
  EXPECT_TRUE(space.ok()) << space.status();
  space->SetParts(
      {SingleModelRecipe("ja", "ja", DType::kBFloat16), SingleModelRecipe("math", "math", DType::kBFloat16)}, "ja");
  return *std::move(space);
}

// A genome in which these slots are included, with scale 1 everywhere.
std::vector<double> Including(const DfsSpace& space, const std::vector<int>& slots) {
  std::vector<double> genome(static_cast<size_t>(space.dimension()), 1.0);
  for (int slot = 0; slot < space.slots(); ++slot) genome[static_cast<size_t>(slot)] = -0.5;
  for (const int slot : slots) genome[static_cast<size_t>(slot)] = 0.5;
  return genome;
}

std::string PathOf(const DfsSpace& space, const std::vector<int>& slots) {
  return PathText(space.Decode(Including(space, slots)));
}

TEST(DfsSpaceTest, HasAnIndicatorForEverySlotAndAScaleForEveryPairOfLayers) {
  EXPECT_EQ(Space(SmallOptions()).dimension(), 10 + 25);
  DfsSpaceOptions options = SmallOptions();
  options.scales = HopScales::kSlot;
  EXPECT_EQ(Space(options).dimension(), 10 + 10);
  options.scales = HopScales::kNone;
  EXPECT_EQ(Space(options).dimension(), 10);
}

TEST(DfsSpaceTest, ThePapersSpaceHas4288Genes) {
  DfsSpaceOptions options = SmallOptions();
  options.layers = {32, 32};
  options.repeats = 3;
  EXPECT_EQ(Space(options).dimension(), 192 + 4096);
}

TEST(DfsSpaceTest, SlotsAreTakenInTheirOrderAndRepeats) {
  const DfsSpace space = Space(SmallOptions());
  EXPECT_EQ(PathOf(space, {0, 1, 2}), "A00 A01 A02");
  EXPECT_EQ(PathOf(space, {0, 4, 6, 7}), "A00 B01 A01 A02");
  EXPECT_EQ(PathOf(space, {0, 1, 2, 3, 4, 5, 6, 7}), "A00 A01 A02 B00 B01 A00 A01 A02");
}

TEST(DfsSpaceTest, FirstAndLastLayerOfAAreAlwaysThere) {
  const DfsSpace space = Space(SmallOptions());
  EXPECT_EQ(PathOf(space, {}), "A00 A02");
  EXPECT_EQ(PathOf(space, {3}), "A00 B00 A02");
  EXPECT_EQ(PathOf(space, {1, 2, 8}), "A00 A01 A02 B00 A02");
  EXPECT_EQ(PathOf(space, {5, 7}), "A00 A02") << "slot 5 offers A's first layer too";
}

TEST(DfsSpaceTest, StartIsAboutAsLongAsA) {
  const DfsSpace space = Space(SmallOptions());
  EXPECT_EQ(PathText(space.Decode(StartGenome(space.genes()))), "A00 A01 A02");
}

TEST(DfsSpaceTest, MatrixScalesTheHopFromOneLayerToTheNext) {
  const DfsSpace space = Space(SmallOptions());
  std::vector<double> genome = Including(space, {0, 1, 4, 7});
  const auto scale = [&](int from, int to) -> double& { return genome[static_cast<size_t>(10 + from * 5 + to)]; };
  scale(0, 1) = 0.9;   // A0 -> A1
  scale(1, 4) = 1.25;  // A1 -> B1
  scale(4, 2) = 0.75;  // B1 -> A2
  scale(2, 0) = 0.7;   // A2 -> A0: not on the path
  EXPECT_EQ(PathText(space.Decode(genome)), "A00 x0.90 A01 x1.25 B01 x0.75 A02");
}

TEST(DfsSpaceTest, SlotScalesTheHopThatTheSlotOffers) {
  DfsSpaceOptions options = SmallOptions();
  options.scales = HopScales::kSlot;
  const DfsSpace space = Space(options);
  std::vector<double> genome = Including(space, {0, 1});
  genome[10 + 0] = 0.8;
  genome[10 + 1] = 1.2;
  genome[10 + 7] = 1.1;  // the last slot that offers A's last layer, which is put at the end
  EXPECT_EQ(PathText(space.Decode(genome)), "x0.80 A00 x1.20 A01 x1.10 A02");
}

TEST(DfsSpaceTest, ScalesOffThePathAreInert) {
  const DfsSpace space = Space(SmallOptions());
  std::vector<double> genome = Including(space, {0, 1, 2});
  const std::string digest = RecipeDigest(space.Decode(genome));
  for (size_t i = 10; i < genome.size(); ++i) {
    if (i == 10 + 0 * 5 + 1 || i == 10 + 1 * 5 + 2) continue;  // A0 -> A1 -> A2
    genome[i] = 0.71;
  }
  EXPECT_EQ(RecipeDigest(space.Decode(genome)), digest);
}

TEST(DfsSpaceTest, RecipeIsWholeAndSurvivesJson) {
  const DfsSpace space = Space(SmallOptions());
  std::vector<double> genome = Including(space, {0, 3, 4, 2});
  genome[12] = 1.1;
  const Recipe recipe = space.Decode(genome);
  EXPECT_TRUE(ValidateRecipe(recipe).ok()) << ValidateRecipe(recipe);
  EXPECT_THAT(ModelsOf(recipe), ElementsAre("ja", "math"));
  const absl::StatusOr<Recipe> read = RecipeFromJson(RecipeToJson(recipe));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, recipe);
}

TEST(DfsSpaceTest, PathThatIsJustAHasTheDigestOfA) {
  const DfsSpace space = Space(SmallOptions());
  const std::string ja = RecipeDigest(SingleModelRecipe("ja", "ja", DType::kBFloat16));
  const std::vector<double> genome = Including(space, {0, 1, 2});
  EXPECT_EQ(RecipeDigest(space.Decode(genome)), ja);
  EXPECT_NE(RecipeDigest(space.Decode(Including(space, {0, 2}))), ja) << "a layer is left out";
  EXPECT_NE(RecipeDigest(space.Decode(Including(space, {0, 1, 2, 5, 6, 7}))), ja) << "twice";
  std::vector<double> scaled = genome;
  scaled[10 + 1] = 1.1;  // A0 -> A1
  EXPECT_NE(RecipeDigest(space.Decode(scaled)), ja);
}

TEST(DfsSpaceTest, PathsBeyondTheLimitsAreInfeasible) {
  DfsSpaceOptions options = SmallOptions();
  options.max_hops = 5;
  options.max_distinct_layers = 4;
  const DfsSpace space = Space(options);
  const auto reason = [&](const std::vector<int>& slots) {
    return space.Infeasible(space.Decode(Including(space, slots)));
  };
  EXPECT_EQ(reason({0, 1, 2}), "");
  EXPECT_EQ(reason({0, 1, 2, 5, 7}), "") << "five hops, three layers";
  EXPECT_EQ(reason({0, 1, 2, 5, 6, 7}), "6 hops, at most 5 are allowed");
  EXPECT_EQ(reason({0, 1, 3, 4, 7}), "5 distinct layers, at most 4 are allowed");
}

TEST(DfsSpaceTest, KnownPointIsAAsItIs) {
  const DfsSpace space = Space(SmallOptions());
  const std::vector<KnownPoint> points = space.KnownPoints();
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].label, "ja");
  EXPECT_EQ(PathText(space.Decode(points[0].genome)), "A00 A01 A02");
}

TEST(DfsSpaceTest, OnlyScalesOnThePathAreActive) {
  for (const HopScales scales : {HopScales::kMatrix, HopScales::kSlot, HopScales::kNone}) {
    DfsSpaceOptions options = SmallOptions();
    options.scales = scales;
    const DfsSpace space = Space(options);
    const std::vector<double> genome = Including(space, {0, 3, 6});
    std::vector<char> active(genome.size(), 1);
    space.MarkActive(genome, active);
    // What is marked active is just what changes the recipe.
    const std::string digest = RecipeDigest(space.Decode(genome));
    for (size_t i = 10; i < genome.size(); ++i) {
      std::vector<double> changed = genome;
      changed[i] = 0.8;
      EXPECT_EQ(active[i] != 0, RecipeDigest(space.Decode(changed)) != digest) << i;
    }
    EXPECT_EQ(std::count(active.begin(), active.begin() + 10, 1), 10);
  }
}

TEST(DfsSpaceTest, MutationsChangeFewSlotsAndNoScale) {
  const DfsSpace space = Space(SmallOptions());
  const std::vector<double> genome = Including(space, {0, 1, 2, 4});
  RandomStream random(1);
  int longer = 0, shorter = 0;
  for (int i = 0; i < 500; ++i) {
    std::vector<double> mutated = genome;
    space.Mutate(mutated, random);
    int changed = 0;
    for (size_t slot = 0; slot < 10; ++slot) changed += (mutated[slot] > 0) != (genome[slot] > 0);
    EXPECT_LE(changed, 4);
    EXPECT_TRUE(std::equal(mutated.begin() + 10, mutated.end(), genome.begin() + 10));
    const size_t hops = space.Decode(mutated).path.size();
    longer += hops > 5;
    shorter += hops < 5;
  }
  EXPECT_GT(longer, 50);
  EXPECT_GT(shorter, 50);
}

TEST(DfsSpaceTest, OptionsThatMakeNoSpaceAreRefused) {
  const auto error = [](auto change) {
    DfsSpaceOptions options = SmallOptions();
    change(options);
    return Message(DfsSpace::Create(options).status());
  };
  EXPECT_THAT(error([](DfsSpaceOptions& o) { o.names.pop_back(); }), HasSubstr("at least two models"));
  EXPECT_THAT(error([](DfsSpaceOptions& o) { o.repeats = 0; }), HasSubstr("at least 1"));
  EXPECT_THAT(error([](DfsSpaceOptions& o) { o.scale_high = 0.7; }), HasSubstr("no range"));
  EXPECT_THAT(error([](DfsSpaceOptions& o) { o.include_rest = -4; }), HasSubstr("standard deviations"));
  EXPECT_THAT(error([](DfsSpaceOptions& o) { o.layers[1] = 0; }), HasSubstr("without layers"));
}

}  // namespace
}  // namespace heterosis
