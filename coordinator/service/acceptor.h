// SPDX-License-Identifier: Apache-2.0
// Listens, and hands accepted connections to the gRPC server: Debian's gRPC 1.51 does that itself without any limit,
// and a client that opens more than there are file descriptors ends its accepting for good.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/host_port.h"
#include "coordinator/service/complaints.h"
#include "coordinator/service/connections.h"

namespace heterosis {

class Acceptor {
 public:
  // Owns `fd` from then on. Called on the thread that accepts. May take as long as the connection sends: gRPC reads on
  // the thread that hands it over while there is something to read.
  using HandOver = std::function<void(int listener_fd, int fd)>;

  // Binds every address that the host's name stands for, with one port, which 0 leaves to the kernel. UNAVAILABLE where
  // another program has the port; INVALID_ARGUMENT for a host that cannot be found or is not this one.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(const HostPort& address, const ConnectionLimits& limits);
  ~Acceptor();  // stops
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // The address with the port that is really used.
  const HostPort& address() const { return address_; }
  Connections& connections() { return connections_; }

  // Accepts on a thread of its own until Stop, and cuts abusers on another until it is destroyed. Surplus connections
  // are closed at once.
  void Start(HandOver hand_over);
  // Closes the listening sockets; connections that were handed over live on, and are cut as before. Idempotent.
  void Stop();

 private:
  Acceptor(HostPort address, const ConnectionLimits& limits) : address_(std::move(address)), connections_(limits) {}

  absl::Status Bind();
  void Accept();
  void Watch(const std::stop_token& stop);
  void AcceptSome(int listener);
  // Cuts abusers, and gives their memory back once they have gone.
  void Look(std::chrono::steady_clock::time_point now);

  static constexpr auto kNever = std::chrono::steady_clock::time_point::max();

  HostPort address_;
  Connections connections_;
  Complaints complaints_;
  HandOver hand_over_;
  std::vector<int> listeners_;
  int stop_fd_ = -1;  // an eventfd: readable when no more are to be accepted
  std::chrono::steady_clock::time_point trim_at_ = kNever;
  std::future<void> trimming_;
  std::thread accepting_;
  std::jthread watching_;
};

// How many connections a process may hold: what the operating system lets it open, less `reserved`. Raises the soft
// limit to the hard one first.
int OpenFilesAllowed(int reserved);

}  // namespace heterosis
