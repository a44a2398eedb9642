// SPDX-License-Identifier: Apache-2.0
// Whole messages over a stream socket: four bytes of length, little-endian, then the message.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heterosis {

// Owns the descriptor of a connected stream socket. One thread may send while another receives.
class MessagePipe {
 public:
  static constexpr size_t kMessageBytesMax = size_t{64} << 20;

  explicit MessagePipe(int fd) : fd_(fd) {}
  ~MessagePipe();
  MessagePipe(const MessagePipe&) = delete;
  MessagePipe& operator=(const MessagePipe&) = delete;

  // DEADLINE_EXCEEDED where the other side has not taken all of it within `patience` (the pipe is of no use then),
  // UNAVAILABLE where it has gone, INVALID_ARGUMENT for too long a message.
  absl::Status Send(std::string_view message, std::chrono::milliseconds patience);

  // The next message, or nothing where none was complete within `wait`. UNAVAILABLE: the other side has gone and all
  // that it sent was received; DATA_LOSS for a length that no message has.
  absl::StatusOr<std::optional<std::string>> Receive(std::chrono::milliseconds wait);

 private:
  absl::StatusOr<std::optional<std::string>> TakeMessage();

  const int fd_;
  std::string received_;  // the beginning of the next message
};

}  // namespace heterosis
