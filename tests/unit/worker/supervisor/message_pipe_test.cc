// SPDX-License-Identifier: Apache-2.0
// Tests of worker/supervisor/message_pipe: whole messages only, and no waiting without end.
#include "worker/supervisor/message_pipe.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <thread>

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{60'000};

class MessagePipeTest : public ::testing::Test {
 protected:
  MessagePipeTest() {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    pipe_ = std::make_unique<MessagePipe>(ends[0]);
    other_fd_ = ends[1];
    other_ = std::make_unique<MessagePipe>(ends[1]);
  }
  void Raw(std::string_view bytes) {
    ASSERT_EQ(write(other_fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  std::unique_ptr<MessagePipe> pipe_, other_;
  int other_fd_ = -1;
};

TEST_F(MessagePipeTest, MessagesComeWholeAndInOrder) {
  const std::string large(3 << 20, 'x');  // more than a socket holds
  std::thread sender([&] {
    for (const std::string& message : {std::string("one"), std::string(), large, std::string("\0\n", 2)}) {
      EXPECT_EQ(other_->Send(message, kLong), absl::OkStatus());
    }
  });
  EXPECT_EQ(pipe_->Receive(kLong).value(), "one");
  EXPECT_EQ(pipe_->Receive(kLong).value(), "");
  EXPECT_EQ(pipe_->Receive(kLong).value(), large);
  EXPECT_EQ(pipe_->Receive(kLong).value(), std::string("\0\n", 2));
  sender.join();
}

TEST_F(MessagePipeTest, APieceIsNoMessageUntilTheRestComes) {
  EXPECT_EQ(pipe_->Receive(milliseconds(0)).value(), std::nullopt);
  Raw(std::string("\5\0\0", 3));
  EXPECT_EQ(pipe_->Receive(milliseconds(1)).value(), std::nullopt);
  Raw(std::string("\0hel", 4));
  EXPECT_EQ(pipe_->Receive(milliseconds(1)).value(), std::nullopt);
  Raw("lo");
  EXPECT_EQ(pipe_->Receive(kLong).value(), "hello");
}

TEST_F(MessagePipeTest, WhatWasSentBeforeTheEndIsReceived) {
  ASSERT_EQ(other_->Send("last words", kLong), absl::OkStatus());
  other_.reset();
  EXPECT_EQ(pipe_->Receive(kLong).value(), "last words");
  EXPECT_EQ(pipe_->Receive(kLong).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(pipe_->Send("x", kLong).code(), absl::StatusCode::kUnavailable) << "and no SIGPIPE";
}

TEST_F(MessagePipeTest, NobodyWaitsForEverForAReader) {
  EXPECT_EQ(pipe_->Send(std::string(10 << 20, 'x'), milliseconds(50)).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(MessagePipeTest, AnImpossibleLengthIsNoReasonToAllocate) {
  Raw("\xFF\xFF\xFF\xFF");
  EXPECT_EQ(pipe_->Receive(kLong).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(pipe_->Send(std::string(MessagePipe::kMessageBytesMax + 1, 'x'), kLong).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace heterosis
