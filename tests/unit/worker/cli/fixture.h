// SPDX-License-Identifier: Apache-2.0
// A recipe over the demo's models, and scratch files, for tests of the worker's commands.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/genome/recipe.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"
#include "worker/device/device.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

inline std::string DemoModel(const std::string& name) {
  return "deploy/demo/models/" + name;
}

class CommandTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text).ok());
  }
  std::string Read(const std::string& name) { return ReadFile(folder_ / name).value_or("cannot read " + name); }

  static ModelFolders DemoModels() {
    return {{"base", DemoModel("base")}, {"ja", DemoModel("ja")}, {"math", DemoModel("math")}};
  }

  static Recipe DemoRecipe() {
    Recipe recipe;
    recipe.method = MergeMethod::kDareTies;
    recipe.base = "base";
    recipe.sources = {"ja", "math"};
    recipe.tokenizer = "base";
    recipe.mask_seed = 3;
    recipe.out_dtype = DType::kBFloat16;
    recipe.rows = {{.match = {"model.layers.0.*"}, .weight = {0.5, 0.5}, .density = {1, 0.5}},
                   {.match = {"*"}, .weight = {0.8, 0.7}, .density = {0.8, 0.7}}};
    return recipe;
  }

  TemporaryFolder folder_;
};

}  // namespace heterosis
