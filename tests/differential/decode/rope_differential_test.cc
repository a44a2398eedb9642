// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies read from config.json, in the spellings of transformers 4 and 5, equal those that transformers
// computes from the same file.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "worker/checkpoint/model_config.h"
#include "worker/model/rope.h"

namespace heterosis {
namespace {

void ExpectFrequencies(const ModelConfig& config, const Json& one) {
  for (const auto& [length, expected] : one["lengths"].items()) {
    const std::vector<float> frequencies = RopeFrequencies(config, std::stol(length));
    ASSERT_EQ(frequencies.size(), expected.size());
    for (size_t i = 0; i < frequencies.size(); ++i) {
      const float theirs = expected[i].get<float>();
      ASSERT_NEAR(frequencies[i], theirs, 2e-6f * theirs) << i << ", length " << length;
    }
  }
  EXPECT_NEAR(RopeAttentionFactor(config), one["factor"].get<double>(), 1e-6);
}

TEST(RopeDifferentialTest, FrequenciesEqualTransformersInBothSpellings) {
  const TemporaryFolder folder;
  const std::string command = "OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 " + DepsPath("venv/bin/python") +
                              " tests/differential/decode/rope_frequencies.py " + folder.path() + " >&2";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const auto cases = ReadJsonFile(folder / "cases.json");
  ASSERT_TRUE(cases.ok()) << cases.status();
  ASSERT_GT(cases->size(), 100u);
  for (const Json& one : *cases) {
    const auto config = ReadModelConfig(folder / one["folder"].get<std::string>());
    ASSERT_TRUE(config.ok()) << config.status();
    SCOPED_TRACE("spelling " + one["spelling"].get<std::string>() + ": " + JsonText(config->raw));
    ExpectFrequencies(*config, one);
  }
}

}  // namespace
}  // namespace heterosis
