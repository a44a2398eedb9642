// SPDX-License-Identifier: Apache-2.0
// The stored form of a config, and which differences forbid a resume.
#include "common/config/canonical.h"

#include "gmock/gmock.h"
#include "tests/unit/common/config/fixture.h"

namespace heterosis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CanonicalTest : public ConfigTest {
 protected:
  std::vector<std::string> DifferencesAfter(std::string_view from, std::string_view to) {
    EXPECT_THAT(Errors(std::string(kSoundConfig)), IsEmpty());
    const v1::Experiment stored = config_;
    EXPECT_THAT(Errors(With(from, to)), IsEmpty());
    return ConfigDifferences(stored, config_);
  }
};

TEST_F(CanonicalTest, TextReadsBackAsTheSameConfig) {
  ASSERT_THAT(Errors(With("seed: 7", "seed: 18446744073709551615")), IsEmpty());
  config_.mutable_phases(0)->mutable_optimizer()->set_sigma(1.0 / 3);
  const std::string text = CanonicalConfig(config_);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const v1::Experiment back = ConfigFromCanonical(text).value();
  EXPECT_EQ(back.SerializeAsString(), config_.SerializeAsString());
  EXPECT_EQ(CanonicalConfig(back), text);
  EXPECT_THAT(ConfigDifferences(back, config_), IsEmpty());
}

TEST_F(CanonicalTest, BrokenTextIsDataLoss) {
  EXPECT_EQ(ConfigFromCanonical("{\"name\":").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ConfigFromCanonical("{\"nome\":\"x\"}").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(CanonicalTest, DifferencesNameKeyAndBothValues) {
  EXPECT_THAT(DifferencesAfter("sigma: 0.2", "sigma: 0.1"), ElementsAre("phases[0].optimizer.sigma: 0.2 -> 0.1"));
  EXPECT_THAT(DifferencesAfter("method: dare_ties", "method: ties"),
              ElementsAre("phases[0].merge.method: dare_ties -> ties"));
  EXPECT_THAT(DifferencesAfter("[\"END\"]", "[\"STOP\"]"), ElementsAre("task.decoding.stop[0]: \"END\" -> \"STOP\""));
  EXPECT_THAT(DifferencesAfter("[\"END\"]", "[]"), ElementsAre("task.decoding.stop: 1 entries -> 0"));
  EXPECT_THAT(DifferencesAfter("  language: {expect: ja}\n", ""),
              ElementsAre("task.language.expect: \"ja\" -> (not given)"));
  EXPECT_THAT(DifferencesAfter("start: 0.8", "start: 0.7"), ElementsAre("phases[0].merge.density.start: 0.8 -> 0.7"));
  EXPECT_THAT(
      DifferencesAfter("trials: 100", "generations: 5"),
      ElementsAre("phases[0].budget.trials: 100 -> (not given)", "phases[0].budget.generations: (not given) -> 5"));
  EXPECT_THAT(DifferencesAfter("seed: 7", "seed: 8"), ElementsAre("seed: 7 -> 8", "phases[0].merge.mask_seed: 7 -> 8"));
}

TEST_F(CanonicalTest, AnExplicitDefaultIsNoDifference) {
  EXPECT_THAT(DifferencesAfter("sigma: 0.2", "sigma: 0.2\n      kind: cma\n      population: 0"), IsEmpty());
  EXPECT_THAT(DifferencesAfter("{expect: ja}", "{expect: ja, threshold: 0.5}"), IsEmpty());
  EXPECT_THAT(DifferencesAfter("base: base\n", "base: base\ntokenizer: base\nevaluation: {shard_size: 64}\n"),
              IsEmpty());
}

TEST_F(CanonicalTest, SchedulingBatchSizeAndPathsMayChange) {
  EXPECT_THAT(
      DifferencesAfter("base: base\n", "base: base\nscheduling: {lease_seconds: 5}\nevaluation: {batch_size: 2}\n"),
      IsEmpty());
  EXPECT_THAT(DifferencesAfter("path: models/base", "path: models/ja"), IsEmpty());
  EXPECT_THAT(DifferencesAfter("base: base\n", "base: base\nevaluation: {shard_size: 2}\n"),
              ElementsAre("evaluation.shard_size: 64 -> 2"));
}

}  // namespace
}  // namespace heterosis
