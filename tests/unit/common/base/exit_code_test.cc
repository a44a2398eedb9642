// SPDX-License-Identifier: Apache-2.0
// Exit codes: what asking again would not help is bad usage; results and errors go to their own streams.
#include "common/base/exit_code.h"

#include "gtest/gtest.h"

namespace heterosis {
namespace {

TEST(ExitCode, WrongOptionsConfigsAndFilesAreBadUsage) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound, absl::StatusCode::kAlreadyExists,
        absl::StatusCode::kPermissionDenied, absl::StatusCode::kFailedPrecondition, absl::StatusCode::kOutOfRange,
        absl::StatusCode::kDataLoss}) {
    EXPECT_EQ(ExitCodeOf(absl::Status(code, "x")), kBadUsage) << absl::StatusCodeToString(code);
  }
}

TEST(ExitCode, TroubleOfTheMachineIsAFailure) {
  for (const absl::StatusCode code : {absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted,
                                      absl::StatusCode::kInternal, absl::StatusCode::kUnknown}) {
    EXPECT_EQ(ExitCodeOf(absl::Status(code, "x")), kFailed) << absl::StatusCodeToString(code);
  }
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), kDone);
}

TEST(ExitCode, ResultsAndErrorsGoToTheirOwnStreams) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(Print(std::string("a result\n")), kDone);
  EXPECT_EQ(Print(absl::NotFoundError("a.yaml: no such file")), kBadUsage);
  EXPECT_EQ(Tell(absl::OkStatus()), kDone);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "a result\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: a.yaml: no such file\n");
}

}  // namespace
}  // namespace heterosis
