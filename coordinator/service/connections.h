// SPDX-License-Identifier: Apache-2.0
// Which connections a server holds: admits new ones within limits, and cuts those that send without end. gRPC 1.51 has
// no such limits: 1,500 idle connections wedge it for good, and an endless header block fills the memory
// (docs/security.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/base/mutex.h"

namespace heterosis {

struct ConnectionLimits {
  int connections_max = 1024;
  int per_address_max = 256;  // of one IPv4 address, or one /64 of IPv6
  // What may come in since the last call that was let in, of one connection and of all together. The largest thing that
  // anybody may send is a report of 32 MiB.
  int64_t unanswered_bytes_max = int64_t{40} << 20;
  int64_t unanswered_bytes_total_max = int64_t{160} << 20;
  // How long a connection may live before its first call that is let in: who sends a header a byte at a time is never
  // silent, and gRPC would wait for the end of it.
  std::chrono::milliseconds first_call_max{30'000};
};

// Lets close reset the connection: nothing of it stays behind in the kernel, and a peer that has filled the window
// hears of the end at once instead of after minutes.
void ResetWhenClosed(int fd);

// Sockets are gRPC's once it has them, and it does not tell when it closes one: a socket is known by its number and
// the kernel's cookie, which no other socket ever has. Thread-safe.
class Connections {
 public:
  explicit Connections(ConnectionLimits limits) : limits_(limits) {}

  // Whether the connected socket `fd` may stay. Counts it then until it is closed, by whomever.
  bool Admit(int fd) ABSL_LOCKS_EXCLUDED(mutex_);

  // A call of this peer was let in: what it had sent until now was answered for. `peer` is grpc::ServerContext::peer();
  // one that is not known here is ignored.
  void NoteCall(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // Shuts down those that have sent more than the limits permit, the greediest first, and those without a call for too
  // long; call a few times a second. Returns how many: each is cut, and counted, once.
  int CutAbusers() ABSL_LOCKS_EXCLUDED(mutex_);

  int count() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Connection {
    int fd = -1;
    uint64_t cookie = 0;
    std::string address;  // what per_address_max counts by
    std::chrono::steady_clock::time_point opened{};
    bool cut = false;              // shut down, and not yet closed by gRPC
    bool called = false;           // a call was let in
    int64_t bytes_answered = 0;    // received by the last call that was let in
    int64_t bytes_unanswered = 0;  // since then, as of the last look
  };

  static bool Cut(Connection& connection);
  // Forgets the closed ones.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Full(const std::string& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(std::map<std::string, Connection>::iterator connection) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ConnectionLimits limits_;
  Mutex mutex_;
  std::map<std::string, Connection> by_peer_ ABSL_GUARDED_BY(mutex_);  // "ADDRESS:PORT"
  std::map<std::string, int> per_address_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace heterosis
