// SPDX-License-Identifier: Apache-2.0
// What transformers computed (expected.json, see make_models.py), and comparing a model of ours with it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/support/shared.h"
#include "worker/decode/decode.h"
#include "worker/model/model.h"

namespace heterosis {

struct Expected {
  std::vector<std::vector<int32_t>> prompts;
  int new_tokens = 0;
  std::vector<std::vector<int32_t>> greedy;
  std::vector<float> logits_float32, logits_bfloat16;
};

inline std::vector<float> Flatten(const Json& rows) {
  std::vector<float> flat;
  for (const Json& row : rows) {
    for (const Json& value : row) flat.push_back(value.get<float>());
  }
  return flat;
}

inline Expected ExpectedOf(const Json& json) {
  return {.prompts = json.at("prompts").get<std::vector<std::vector<int32_t>>>(),
          .new_tokens = json.at("new_tokens").get<int>(),
          .greedy = json.at("greedy").get<std::vector<std::vector<int32_t>>>(),
          .logits_float32 = Flatten(json.at("logits_float32")),
          .logits_bfloat16 = Flatten(json.at("logits_bfloat16"))};
}

// Runs a script of tests/differential/decode with the folder that it fills.
inline void RunScript(const std::string& script, const std::string& folder) {
  const std::string command = "OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 " + DepsPath("venv/bin/python") +
                              " tests/differential/decode/" + script + " " + folder + " >&2";
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

// Root of the mean square of a - b.
inline double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum / static_cast<double>(a.size()));
}

// `model` computes in f32.
inline void ExpectLogits(Model& model, const Expected& expected) {
  const auto logits = model.Logits(expected.prompts[0]);
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(logits->size(), expected.logits_float32.size());
  const size_t vocabulary = static_cast<size_t>(model.config().vocab_size);
  for (size_t i = 0; i < logits->size(); ++i) {
    ASSERT_NEAR((*logits)[i], expected.logits_float32[i], 1e-4 * std::max(1.0f, std::abs(expected.logits_float32[i])))
        << "token " << i / vocabulary << ", logit " << i % vocabulary;
  }
}

// `model` computes in bf16: no further from the f32 logits than transformers' bf16 is (half as far again for luck).
inline void ExpectBf16Logits(Model& model, const Expected& expected) {
  const auto logits = model.Logits(expected.prompts[0]);
  ASSERT_TRUE(logits.ok()) << logits.status();
  const double theirs = Distance(expected.logits_bfloat16, expected.logits_float32);
  EXPECT_GT(theirs, 0);
  EXPECT_LT(Distance(*logits, expected.logits_float32), 1.5 * theirs);
}

// Whether both tokens are as likely as can be told in f32 after `prefix`.
inline bool AreTied(Model& model, const std::vector<int32_t>& prefix, int32_t a, int32_t b) {
  const auto logits = model.Logits(prefix);
  const size_t last = logits->size() - static_cast<size_t>(model.config().vocab_size);
  return std::abs((*logits)[last + static_cast<size_t>(a)] - (*logits)[last + static_cast<size_t>(b)]) < 2e-4;
}

// `model` computes in f32; its end token is 2.
inline void ExpectGreedy(Model& model, const Expected& expected) {
  std::vector<DecodeRequest> requests;
  for (const auto& prompt : expected.prompts) requests.push_back({prompt});
  const DecodeOptions options{.max_new_tokens = expected.new_tokens, .eos = {2}, .batch_size = 3};
  const auto outputs = Decode(model, requests, options, nullptr, nullptr);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<int32_t> tokens = (*outputs)[i].tokens;
    if ((*outputs)[i].finish == FinishReason::kEos) tokens.push_back(2);
    const std::vector<int32_t>& theirs = expected.greedy[i];
    size_t same = 0;
    while (same < std::min(tokens.size(), theirs.size()) && tokens[same] == theirs[same]) ++same;
    if (same < std::min(tokens.size(), theirs.size())) {
      std::vector<int32_t> prefix = expected.prompts[i];
      prefix.insert(prefix.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(same));
      if (AreTied(model, prefix, tokens[same], theirs[same])) continue;
    }
    EXPECT_THAT(tokens, testing::ElementsAreArray(theirs)) << "prompt " << i;
  }
}

}  // namespace heterosis
