// SPDX-License-Identifier: Apache-2.0
// A sound config with small models and data on disk, and changed copies of it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"
#include "common/config/config.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {

inline constexpr std::string_view kSoundConfig = R"(# line 1
name: demo
seed: 7
models:
  - name: base
    path: models/base
  - {name: ja, path: models/ja}
  - {name: math, path: models/math}
base: base
data:
  search: {path: search.jsonl}
  validation: {path: search.jsonl, rows: "-2:"}
  test:
    path: test.tsv
    question: 0
    answer: 1
task:
  prompt:
    template: plain
  decoding:
    max_new_tokens: 64
    stop: ["END"]
  language: {expect: ja}
phases:
  - name: ps
    merge:
      method: dare_ties
      weight: [0, 2]
      density: {low: 0.1, high: 0.9, start: 0.8}
    optimizer:
      sigma: 0.2
    budget:
      trials: 100
)";

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* model : {"base", "ja", "math"}) WriteModel(model, R"({"num_hidden_layers": 4})");
    Write("search.jsonl", "{}\n");
    Write("test.tsv", "q\t1\n");
  }

  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }

  void WriteModel(const std::string& name, std::string_view config) {
    std::filesystem::create_directories(folder_ / ("models/" + name));
    Write("models/" + name + "/config.json", config);
    Write("models/" + name + "/model.safetensors", "");
  }

  // The sound config with the first `from` replaced.
  static std::string With(std::string_view from, std::string_view to, std::string text = std::string(kSoundConfig)) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << "the config has no " << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }

  // The errors of a config named c.yaml in the folder, without the folder's name.
  std::vector<std::string> Errors(const std::string& text) {
    std::vector<std::string> errors = ParseConfig(text, folder_ / "c.yaml", config_);
    for (std::string& error : errors) {
      for (size_t at = error.find(folder_.path()); at != std::string::npos; at = error.find(folder_.path())) {
        error.erase(at, folder_.path().size() + 1);
      }
    }
    return errors;
  }

  TemporaryFolder folder_;
  v1::Experiment config_;  // of the last Errors()
};

}  // namespace heterosis
