// SPDX-License-Identifier: Apache-2.0
// The client's end of a connection to a coordinator: TLS, the token, and the settings by which it notices within
// seconds that nobody is there any more.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace heterosis {

// Paths of files, as the command line has them; empty where there are none.
struct ClientSecurity {
  std::string tls_ca;    // authorities that may vouch for the coordinator: TLS is used where they are given
  std::string tls_cert;  // what we show, where the coordinator asks for it
  std::string tls_key;
  std::string token_file;  // without it the environment variable HETEROSIS_TOKEN is looked at
  bool insecure = false;   // permits to dial another machine without TLS
};

struct Dialled {
  std::shared_ptr<grpc::Channel> channel;
  std::string token;  // empty: none
};

// `address` is HOST:PORT. Connects lazily, and again whenever needed. An error is a wrong option or file, told with the
// remedy; in particular nobody beyond this machine is dialled without TLS unless `insecure` permits it.
absl::StatusOr<Dialled> Dial(const std::string& address, const ClientSecurity& security);

// Adds the token to a call.
void Authorize(const Dialled& dialled, grpc::ClientContext& context);

// gRPC's codes are those of absl.
absl::Status ToStatus(const grpc::Status& status);

// Both ends ping a silent connection after this long, and wait as long for the answer: a partition is noticed within 10
// s.
inline constexpr int kKeepaliveTimeMs = 4'000;
inline constexpr int kKeepaliveTimeoutMs = 4'000;

}  // namespace heterosis
