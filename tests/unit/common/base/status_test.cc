// SPDX-License-Identifier: Apache-2.0
// The status macros and helpers.
#include "common/base/status.h"

#include <memory>

#include "gtest/gtest.h"

namespace heterosis {
namespace {

absl::Status TakeSteps(const absl::Status& step, int* steps) {
  RETURN_IF_ERROR(step);
  ++*steps;
  RETURN_IF_ERROR(absl::OkStatus());
  ++*steps;
  return absl::OkStatus();
}

TEST(ReturnIfError, ReturnsTheErrorAndNothingElseRuns) {
  int steps = 0;
  EXPECT_EQ(TakeSteps(absl::NotFoundError("gone"), &steps), absl::NotFoundError("gone"));
  EXPECT_EQ(steps, 0);
  EXPECT_TRUE(TakeSteps(absl::OkStatus(), &steps).ok());
  EXPECT_EQ(steps, 2);
}

TEST(ReturnIfError, EvaluatesItsExpressionOnce) {
  int evaluations = 0;
  const auto run = [&]() -> absl::Status {
    RETURN_IF_ERROR((++evaluations, absl::InternalError("x")));
    return absl::OkStatus();
  };
  EXPECT_FALSE(run().ok());
  EXPECT_EQ(evaluations, 1);
}

using Owned = std::unique_ptr<int>;

absl::StatusOr<int> Sum(absl::StatusOr<Owned> first, absl::StatusOr<Owned> second) {
  ASSIGN_OR_RETURN(const Owned a, std::move(first));
  Owned b;
  ASSIGN_OR_RETURN(b, std::move(second));
  return *a + *b;
}

TEST(AssignOrReturn, MovesTheValueOrReturnsTheFirstError) {
  EXPECT_EQ(*Sum(std::make_unique<int>(2), std::make_unique<int>(3)), 5);
  EXPECT_EQ(Sum(absl::AbortedError("a"), absl::InternalError("b")).status(), absl::AbortedError("a"));
  EXPECT_EQ(Sum(std::make_unique<int>(2), absl::InternalError("b")).status(), absl::InternalError("b"));
}

TEST(Annotate, PutsTheContextFirstAndKeepsTheCode) {
  const absl::Status status = Annotate(Annotate(absl::DataLossError("cut"), "header"), "a.bin");
  EXPECT_EQ(status, absl::DataLossError("a.bin: header: cut"));
  EXPECT_EQ(Message(status), "a.bin: header: cut");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "a.bin").ok());
}

}  // namespace
}  // namespace heterosis
