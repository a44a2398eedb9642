// SPDX-License-Identifier: Apache-2.0
// The coordinator's gRPC server.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/service/experiment_service.h"

namespace heterosis {

struct ServerOptions {
  std::string address = "127.0.0.1:50551";  // HOST:PORT; port 0 takes a free one
  bool insecure = false;                    // permits an address beyond loopback, without TLS (DESIGN.md invariant 6)
};

// What can be said of the address before anything is started: InvalidArgument where it is none, or lies beyond loopback
// without leave.
absl::Status CheckListen(const ServerOptions& options);

// Serves from construction until destroyed. `service` must outlive it.
class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, ExperimentService& service);
  virtual ~Server() = default;

  // HOST:PORT with the port that is really used.
  virtual std::string address() const = 0;
  // Refuses new calls and waits up to `patience` for those under way.
  virtual void Stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace heterosis
