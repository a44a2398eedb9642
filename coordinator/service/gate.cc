// SPDX-License-Identifier: Apache-2.0
// Implements gate.h.
#include "coordinator/service/gate.h"

#include <grpc/grpc_security_constants.h>

#include "absl/strings/str_format.h"
#include "common/base/logging.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

bool CameByTls(const grpc::ServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr) return false;
  for (const grpc::string_ref& value : auth->FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME)) {
    if (value == GRPC_SSL_TRANSPORT_SECURITY_TYPE) return true;
  }
  return false;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

absl::Status Gate::CheckCaller(const grpc::ServerContext& context, Role needed) const {
  const bool local_way = policy_.tls && !CameByTls(context);
  if (!policy_.tokens_needed && !local_way) {
    if (needed != Role::kAdmin) return absl::OkStatus();
    return absl::PermissionDeniedError("this coordinator runs without tokens, and without one nobody is an admin");
  }
  const auto [first, last] = context.client_metadata().equal_range("authorization");
  if (first == last) return policy_.tokens.Check("", needed);
  if (std::next(first) != last) return absl::UnauthenticatedError("more than one authorization header");
  return policy_.tokens.Check(std::string_view(first->second.data(), first->second.size()), needed);
}

grpc::Status Gate::Check(const grpc::ServerContext& context, Role needed, size_t bytes, size_t bytes_max) {
  if (const absl::Status caller = CheckCaller(context, needed); !caller.ok()) {
    if (complaints_.MayComplain()) {
      LogWarning(absl::StrCat("refused a call from ", context.peer(), ": ", Message(caller)));
    }
    return ToGrpc(caller);
  }
  for (Acceptor* acceptor : acceptors_) acceptor->connections().NoteCall(context.peer());
  if (bytes <= bytes_max) return grpc::Status::OK;
  return ToGrpc(absl::InvalidArgumentError(
      absl::StrFormat("a request of %d bytes, more than the %d that this call takes", bytes, bytes_max)));
}

}  // namespace heterosis
