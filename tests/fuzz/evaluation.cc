// SPDX-License-Identifier: Apache-2.0
// What comes through the pipe between a worker and its evaluation child: any bytes, the last of them cut off where the
// child died. They are cut up at their lengths as the protocol says, and each message is understood or refused, by
// either side. The first two bytes say after how many bytes the reader looks for the first time.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "heterosis/v1/evaluation.pb.h"
#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"
#include "worker/supervisor/message_pipe.h"

namespace heterosis {
namespace {

constexpr std::chrono::milliseconds kNoWait{0};
constexpr size_t kLengthBytes = 4;

void Write(int fd, std::string_view bytes) {
  FUZZ_CHECK(send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT) == static_cast<ssize_t>(bytes.size()));
}

// The message that `bytes` begin with, by the rule of evaluation.proto; nullopt where it is not whole.
std::optional<std::string_view> FirstMessage(std::string_view bytes) {
  if (bytes.size() < kLengthBytes) return std::nullopt;
  size_t length = 0;
  for (size_t i = kLengthBytes; i > 0; --i) length = length << 8 | static_cast<uint8_t>(bytes[i - 1]);
  if (bytes.size() - kLengthBytes < length) return std::nullopt;
  return bytes.substr(kLengthBytes, length);
}

template <typename Message>
void Understand(const Message& message) {
  const auto value = FromWire(message);
  if (value.ok()) FUZZ_CHECK(FromWire(ToWire(*value)).ok());
}

void UnderstandReply(const std::string& bytes) {
  v1::EvaluationReply reply;
  if (!reply.ParseFromString(bytes)) return;
  if (reply.has_result()) Understand(reply.result());
  if (reply.has_canary()) Understand(reply.canary());
}

void UnderstandRequest(const std::string& bytes) {
  v1::EvaluationRequest request;
  if (!request.ParseFromString(bytes)) return;
  if (request.has_prepare()) Understand(request.prepare());
  if (request.has_run()) Understand(request.run());
  if (request.has_canary()) Understand(request.canary());
}

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  if (size < 2) return 0;
  std::string_view rest = AsText(data + 2, size - 2);  // that is not received yet
  const size_t first = std::min<size_t>(data[0] + 256u * data[1], rest.size());
  std::string_view to_come = rest.substr(first);
  std::array<int, 2> ends;
  FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  MessagePipe pipe(ends[0]);
  Write(ends[1], rest.substr(0, first));
  bool died = false;
  for (;;) {
    const absl::StatusOr<std::optional<std::string>> received = pipe.Receive(kNoWait);
    const std::optional<std::string_view> expected = FirstMessage(rest.substr(0, rest.size() - to_come.size()));
    if (received.ok() && !received->has_value()) {
      FUZZ_CHECK(!died && !expected.has_value());
      Write(ends[1], std::exchange(to_come, {}));
      close(ends[1]);
      died = true;
      continue;
    }
    FUZZ_CHECK(received.ok() == expected.has_value());
    if (!received.ok()) break;
    FUZZ_CHECK(**received == *expected);
    UnderstandReply(**received);
    UnderstandRequest(**received);
    rest.remove_prefix(kLengthBytes + expected->size());
  }
  if (!died) close(ends[1]);
  return 0;
}
