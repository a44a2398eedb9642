// SPDX-License-Identifier: Apache-2.0
// The demo's models and problems, for tests of what evaluates models.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/dataset/dataset.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"
#include "worker/evaluate/model_library.h"
#include "worker/evaluate/trial_runner.h"

namespace heterosis {

inline std::string DemoModel(const std::string& name) {
  return "deploy/demo/models/" + name;
}

inline ModelFolders DemoModels() {
  return {{"base", DemoModel("base")}, {"ja", DemoModel("ja")}, {"math", DemoModel("math")}};
}

inline std::string LanguageModelPath() {
  return DepsPath("lid.176.ftz");
}

inline Device TestCpu() {
  return OpenCpu(2);
}

// The demo's task, as deploy/demo/ps.yaml has it.
inline Task DemoTask() {
  Task task;
  task.prompt_template = "問: {input}\n答:";
  task.max_new_tokens = 20;
  task.language = "ja";
  task.batch_size = 16;
  return task;
}

// The first problems of the demo's validation split.
inline std::vector<Problem> DemoProblems(size_t count) {
  DataSetOptions options;
  options.path = "deploy/demo/data/validation.jsonl";
  std::vector<Problem> problems = ReadProblems(options).value();
  problems.resize(count);
  return problems;
}

// The demo's experts over its base.
inline Recipe DemoMerge(double ja, double math) {
  Recipe recipe;
  recipe.method = MergeMethod::kDareTies;
  recipe.base = "base";
  recipe.sources = {"ja", "math"};
  recipe.tokenizer = "base";
  recipe.mask_seed = 3;
  recipe.out_dtype = DType::kFloat32;
  recipe.rows = {{.match = {"*"}, .weight = {ja, math}, .density = {0.8, 0.7}}};
  return recipe;
}

inline const std::atomic<bool> kNotCancelled = false;

}  // namespace heterosis
