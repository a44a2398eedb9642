// SPDX-License-Identifier: Apache-2.0
// The door of every RPC: whether its caller may make it, and whether the request is of a sensible size.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>
#include <vector>

#include "coordinator/service/acceptor.h"
#include "coordinator/service/complaints.h"
#include "coordinator/service/tokens.h"

namespace heterosis {

grpc::Status ToGrpc(const absl::Status& status);

struct GatePolicy {
  Tokens tokens;
  bool tokens_needed = false;  // false: workers and readers need none, and nobody is an admin
  bool tls = false;  // a call that does not come by TLS then comes by the local workers' way, and needs a token
};

// Thread-safe.
class Gate {
 public:
  // The acceptors must outlive this; they hear of each call that is let in.
  Gate(GatePolicy policy, std::vector<Acceptor*> acceptors)
      : policy_(std::move(policy)), acceptors_(std::move(acceptors)) {}

  // OK, or the answer to give without looking at the request. INVALID_ARGUMENT for one of more than `bytes_max` bytes.
  grpc::Status Check(const grpc::ServerContext& context, Role needed, size_t bytes, size_t bytes_max);

 private:
  absl::Status CheckCaller(const grpc::ServerContext& context, Role needed) const;

  const GatePolicy policy_;
  const std::vector<Acceptor*> acceptors_;
  Complaints complaints_;
};

}  // namespace heterosis
