// SPDX-License-Identifier: Apache-2.0
// Trials: names and shards.
#include "common/trial/trial.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

constexpr TrialState kStates[] = {TrialState::kPending, TrialState::kRunning, TrialState::kDone, TrialState::kFailed,
                                  TrialState::kInfeasible};

TEST(Trial, NamesRoundTripAndUnknownOnesAreListed) {
  for (const TrialState state : kStates) EXPECT_EQ(TrialStateFromName(Name(state)).value(), state);
  for (const auto split : {Split::kSearch, Split::kValidation, Split::kTest}) {
    EXPECT_EQ(SplitFromName(Name(split)).value(), split);
  }
  for (const auto reason :
       {FinishReason::kEos, FinishReason::kLength, FinishReason::kStop, FinishReason::kRepetition}) {
    EXPECT_EQ(FinishReasonFromName(Name(reason)).value(), reason);
  }
  for (const auto failure : {FailureClass::kInfra, FailureClass::kCrash, FailureClass::kInvalid, FailureClass::kNumeric,
                             FailureClass::kMemory}) {
    EXPECT_EQ(FailureClassFromName(Name(failure)).value(), failure);
  }
  EXPECT_EQ(SplitFromName("train").status().message(), "unknown split \"train\" (known: search, validation, test)");
}

TEST(Trial, OnlyWantOfMemoryMakesATrialInfeasible) {
  EXPECT_EQ(EndAfter(FailureClass::kMemory), TrialState::kInfeasible);
  for (const auto failure :
       {FailureClass::kInfra, FailureClass::kCrash, FailureClass::kInvalid, FailureClass::kNumeric}) {
    EXPECT_EQ(EndAfter(failure), TrialState::kFailed);
  }
}

TEST(Trial, ShardsCoverAllSamples) {
  EXPECT_EQ(ShardCount(0, 64), 0);
  EXPECT_EQ(ShardCount(1, 64), 1);
  EXPECT_EQ(ShardCount(64, 64), 1);
  EXPECT_EQ(ShardCount(65, 64), 2);
}

}  // namespace
}  // namespace heterosis
