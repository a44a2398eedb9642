// SPDX-License-Identifier: Apache-2.0
// Implements message_pipe.h with poll, send and recv.
#include "worker/supervisor/message_pipe.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/base/status.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr size_t kHeaderBytes = 4;
constexpr size_t kReceiveBytes = 64 << 10;

// Whether the descriptor is ready (or broken, which the next call on it tells) before `end`.
bool WaitUntil(int fd, short events, SteadyClock::time_point end) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - SteadyClock::now());
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000)));
    if (ready > 0) return true;
    if (ready == 0 && SteadyClock::now() >= end) return false;
  }
}

absl::Status GoneError(std::string_view what, int error) {
  return absl::UnavailableError(absl::StrCat("the other process cannot be ", std::string(what), ": ",
                                             error == 0 ? "it has closed" : std::strerror(error)));
}

}  // namespace

MessagePipe::~MessagePipe() {
  close(fd_);
}

absl::Status MessagePipe::Send(std::string_view message, milliseconds patience) {
  if (message.size() > kMessageBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message of ", message.size(), " bytes, more than the ", kMessageBytesMax, " allowed"));
  }
  std::string bytes;
  bytes.reserve(kHeaderBytes + message.size());
  for (size_t i = 0; i < kHeaderBytes; ++i) bytes.push_back(static_cast<char>(message.size() >> (8 * i) & 0xFF));
  bytes.append(message);
  const SteadyClock::time_point end = SteadyClock::now() + patience;
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!WaitUntil(fd_, POLLOUT, end)) return absl::DeadlineExceededError("the other process takes no message");
    } else if (errno != EINTR) {
      return GoneError("written to", errno);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> MessagePipe::TakeMessage() {
  if (received_.size() < kHeaderBytes) return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < kHeaderBytes; ++i)
    length |= static_cast<size_t>(static_cast<uint8_t>(received_[i])) << (8 * i);
  if (length > kMessageBytesMax) return absl::DataLossError(absl::StrCat("a message of ", length, " bytes"));
  if (received_.size() - kHeaderBytes < length) return std::nullopt;
  std::string message = received_.substr(kHeaderBytes, length);
  received_.erase(0, kHeaderBytes + length);
  return message;
}

absl::StatusOr<std::optional<std::string>> MessagePipe::Receive(milliseconds wait) {
  const SteadyClock::time_point end = SteadyClock::now() + wait;
  std::array<char, kReceiveBytes> bytes;
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<std::string> message, TakeMessage());
    if (message.has_value()) return message;
    if (!WaitUntil(fd_, POLLIN, end)) return std::nullopt;
    const ssize_t count = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count > 0) {
      received_.append(bytes.data(), static_cast<size_t>(count));
    } else if (count == 0) {
      return GoneError("read from", 0);
    } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
      return GoneError("read from", errno);
    }
  }
}

}  // namespace heterosis
