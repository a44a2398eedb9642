// SPDX-License-Identifier: Apache-2.0
// The coordinator's gRPC server: who may reach it, and how it stays up when somebody means it harm (docs/security.md).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/service/connections.h"
#include "coordinator/service/experiment_service.h"

namespace heterosis {

struct ServerOptions {
  std::string address = "127.0.0.1:50551";  // HOST:PORT; port 0 takes a free one
  bool insecure = false;                    // permits an address beyond loopback without TLS or tokens
  // Paths of PEM files, empty where there are none. With an authority for clients each must show a certificate of it.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_client_ca;
  std::string token_file;  // tokens.h has the form
  std::string tokens;      // what the environment had instead of a file; a comma ends a line too
  bool local_workers = false;
  std::function<void()> on_stop = [] {};  // an admin asks for the end; called from a thread of the server
  ConnectionLimits limits;                // lowered to what the process may have open
};

// What can be said of the options before anything is started. INVALID_ARGUMENT where the address is none, or lies
// beyond loopback and TLS or tokens are missing without leave; the errors of tokens.h, secret.h and pem.h for the
// files.
absl::Status CheckListen(const ServerOptions& options);

// Serves from construction until destroyed. `service` must outlive it.
class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, ExperimentService& service);
  virtual ~Server() = default;

  // HOST:PORT with the port that is really used.
  virtual std::string address() const = 0;
  // What workers that the coordinator starts itself dial: a loopback port of their own, without TLS, where address()
  // has TLS or is not loopback. They show local_token(), a random one of this start; empty where none is needed.
  virtual std::string local_address() const = 0;
  virtual std::string local_token() const = 0;
  // Refuses new calls and waits up to `patience` for those under way.
  virtual void Stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace heterosis
