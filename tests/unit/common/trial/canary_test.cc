// SPDX-License-Identifier: Apache-2.0
// Tests of common/trial/canary: rounding is no difference, everything else is.
#include "common/trial/canary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr CanaryTolerance kTolerance{.absolute = 0.1F, .relative = 0};

CanaryResult Reference() {
  return {.number = 1,
          .answers = {{{{7, 5.0F}, {3, 4.0F}, {9, 1.0F}}, {{2, 8.0F}, {1, 7.95F}, {4, 2.0F}}, {{5, 3.0F}, {6, 2.0F}}},
                      {{{1, 9.0F}, {2, 8.0F}}}}};
}

std::string Difference(const CanaryResult& result) {
  return Message(CompareCanary(Reference(), result, kTolerance));
}

TEST(CanaryTest, TheSameAnswerAgreesUnderAnyNumber) {
  CanaryResult result = Reference();
  result.number = 2;
  EXPECT_EQ(Difference(result), "");
}

TEST(CanaryTest, RoundingIsNoDifference) {
  CanaryResult result = Reference();
  result.answers[0][0] = {{7, 5.09F}, {3, 3.91F}, {9, 1.05F}};
  EXPECT_EQ(Difference(result), "");
}

TEST(CanaryTest, OneLogitBeyondTheToleranceIsNamed) {
  CanaryResult result = Reference();
  result.answers[0][2][1].logit = 2.2F;
  EXPECT_EQ(Difference(result), "problem 0: step 2: token 6: logit 2 against 2.2");
}

TEST(CanaryTest, ATokenMayLeaveTheListAtItsLowerEndOnly) {
  CanaryResult result = Reference();
  result.answers[0][0] = {{7, 5.0F}, {3, 4.0F}, {8, 1.05F}};
  EXPECT_EQ(Difference(result), "");
  result.answers[0][0] = {{7, 5.0F}, {8, 4.0F}, {9, 1.0F}};
  EXPECT_EQ(Difference(result), "problem 0: step 0: token 3: logit 4 against at most 1 (not in the list)");
}

TEST(CanaryTest, ATokenThatEntersTheListFromFarBelowIsADifference) {
  CanaryResult result = Reference();
  result.answers[0][0] = {{7, 5.0F}, {3, 4.0F}, {8, 1.5F}};  // the reference's eighth is at most 1.0
  EXPECT_EQ(Difference(result), "problem 0: step 0: token 8: logit 1.5 against at most 1 (not in the list)");
}

TEST(CanaryTest, AfterATieThatWentTheOtherWayNothingIsCompared) {
  CanaryResult result = Reference();
  result.answers[0][1] = {{1, 7.97F}, {2, 7.96F}, {4, 2.0F}};
  result.answers[0][2] = {{50, -3.0F}, {60, -4.0F}};
  EXPECT_EQ(Difference(result), "");
  result.answers[1][0] = {{1, 9.5F}, {2, 8.0F}};  // but the other problem is
  EXPECT_EQ(Difference(result), "problem 1: step 0: token 1: logit 9 against 9.5");
}

TEST(CanaryTest, ADifferentTokenThatIsNoTieIsADifference) {
  CanaryResult result = Reference();
  result.answers[1][0] = {{2, 9.0F}, {1, 8.0F}};
  EXPECT_NE(Difference(result), "");
}

TEST(CanaryTest, WhatIsNotANumberNeverAgrees) {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    CanaryResult result = Reference();
    result.answers[1][0][1].logit = value;
    EXPECT_EQ(Difference(result), "problem 1: step 0: token 2: NaN or Inf");
    EXPECT_FALSE(CompareCanary(result, Reference(), kTolerance).ok()) << "as the reference";
  }
}

TEST(CanaryTest, MissingPartsAreADifference) {
  CanaryResult result = Reference();
  result.answers.pop_back();
  EXPECT_EQ(Difference(result), "1 answers instead of 2");
  result = Reference();
  result.answers[0].pop_back();
  EXPECT_EQ(Difference(result), "problem 0: 2 steps instead of 3");
  result = Reference();
  result.answers[0][0].pop_back();
  EXPECT_EQ(Difference(result), "problem 0: step 0: 2 logits instead of 3");
}

TEST(CanaryTest, AFailureNeverAgrees) {
  CanaryResult result = Reference();
  result.failure = FailureClass::kCrash;
  result.message = "SIGSEGV";
  EXPECT_EQ(Difference(result), "it failed: SIGSEGV");
}

TEST(CanaryTest, RelativeToleranceGrowsWithTheLogits) {
  CanaryResult reference{.answers = {{{{1, 100.0F}, {2, 1.0F}}}}};
  CanaryResult result{.answers = {{{{1, 101.5F}, {2, 1.0F}}}}};
  EXPECT_TRUE(CompareCanary(reference, result, {.absolute = 0, .relative = 0.02F}).ok());
  EXPECT_FALSE(CompareCanary(reference, result, {.absolute = 0, .relative = 0.01F}).ok());
}

TEST(CanaryTest, ACanaryIsSmall) {
  CanaryWork work{.problems = {{"q", "1"}}};
  EXPECT_TRUE(ValidateCanary(work).ok());
  for (CanaryWork wrong :
       {CanaryWork{.problems = {}}, CanaryWork{.problems = work.problems, .steps = 0},
        CanaryWork{.problems = work.problems, .top = 65}, CanaryWork{.problems = std::vector<Problem>(65)}}) {
    EXPECT_EQ(ValidateCanary(wrong).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace heterosis
