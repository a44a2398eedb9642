// SPDX-License-Identifier: Apache-2.0
// A finished run of one generation in a database, for the tests of the commands that read one.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {

// Trials: 1 math 2 of 4, 2 ja 1 of 4; 3 the start 1 of 2, 4 the uniform merge 0 of 2, 5 genome 5 (the winner) 2 of 2,
// 6 the same; 7 genome 5 on validation 1 of 2; 8 math, 9 uniform and 10 genome 5 on test: 1, 0 and 2 of 2.
class CommandTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    RunParents();
    const StageCommit generation = FirstGeneration();
    ASSERT_TRUE(Stage(generation).ok());
    ASSERT_TRUE(store_->CommitFailure(Failure(3, 0, FailureClass::kInfra, "the worker fell silent"), Now()).ok());
    Score(generation.trials[0], 1);
    Score(generation.trials[1], 0);
    Score(generation.trials[2], 2);
    const TrialRecord rescored = TrialOf(7, 5, Purpose::kRescore, Whole(Split::kValidation));
    ASSERT_TRUE(Stage({.stage = {.kind = StageKind::kSelection, .phase = 0}, .trials = {rescored}}).ok());
    Score(rescored, 1);
    const std::vector<TrialRecord> tested = {TrialOf(8, 1, Purpose::kTest, Whole(Split::kTest)),
                                             TrialOf(9, 4, Purpose::kTest, Whole(Split::kTest)),
                                             TrialOf(10, 5, Purpose::kTest, Whole(Split::kTest))};
    ASSERT_TRUE(Stage({.stage = {.kind = StageKind::kFinal}, .trials = tested, .chosen = 5}).ok());
    for (size_t i = 0; i < tested.size(); ++i) Score(tested[i], std::vector<int>{1, 0, 2}[i]);
    ASSERT_TRUE(store_->Finish({ExperimentState::kDone, ""}, Now()).ok());
  }
};

inline std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The first line that contains `part`, or "".
inline std::string LineWith(const std::string& text, const std::string& part) {
  for (const std::string& line : Lines(text)) {
    if (line.find(part) != std::string::npos) return line;
  }
  return "";
}

inline std::vector<std::string> Keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

}  // namespace heterosis
