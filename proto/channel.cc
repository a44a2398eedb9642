// SPDX-License-Identifier: Apache-2.0
// Implements channel.h.
#include "proto/channel.h"

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <optional>

#include "common/base/host_port.h"
#include "common/base/pem.h"
#include "common/base/secret.h"
#include "common/base/status.h"

namespace heterosis {
namespace {

constexpr int kMessageBytesMax = 64 << 20;  // of what a coordinator sends: a shard's problems, a path's recipe

absl::StatusOr<std::string> ReadToken(const ClientSecurity& security) {
  if (!security.token_file.empty()) {
    ASSIGN_OR_RETURN(const std::string content, ReadSecretFile(security.token_file, "--token-file"));
    return OnlyToken(content, absl::StrCat("--token-file ", security.token_file));
  }
  const char* variable = std::getenv("HETEROSIS_TOKEN");
  if (variable == nullptr || *variable == '\0') return std::string();
  return OnlyToken(variable, "HETEROSIS_TOKEN");
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const ClientSecurity& security) {
  if (security.tls_cert.empty() != security.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together: give both");
  }
  if (security.tls_ca.empty()) {
    if (!security.tls_cert.empty()) {
      return absl::InvalidArgumentError(
          "--tls-cert needs --tls-ca FILE, the authority that vouches for the coordinator");
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadAuthorities(security.tls_ca, "--tls-ca"));
  if (!security.tls_cert.empty()) {
    ASSIGN_OR_RETURN(KeyPair pair, ReadKeyPair(security.tls_cert, security.tls_key));
    options.pem_cert_chain = std::move(pair.certificate_chain);
    options.pem_private_key = std::move(pair.private_key);
  }
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Coordinators are dialled directly: a proxy that http_proxy names cannot reach 127.0.0.1 or a cluster's hosts.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // A connection of its own for each channel, where one process has several.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

absl::StatusOr<Dialled> Dial(const std::string& address, const ClientSecurity& security) {
  const std::optional<HostPort> parsed = ParseHostPort(address);
  if (!parsed.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": write HOST:PORT, for example 127.0.0.1:50551"));
  }
  if (security.tls_ca.empty() && !security.insecure && !IsLoopback(parsed->host)) {
    return absl::InvalidArgumentError(absl::StrCat(
        address,
        " is another machine and TLS is missing: give --tls-ca FILE (docs/security.md); on a network where "
        "you trust everyone, --insecure"));
  }
  Dialled dialled;
  ASSIGN_OR_RETURN(dialled.token, ReadToken(security));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials, Credentials(security));
  dialled.channel = grpc::CreateCustomChannel(address, credentials, Arguments());
  return dialled;
}

void Authorize(const Dialled& dialled, grpc::ClientContext& context) {
  if (!dialled.token.empty()) context.AddMetadata("authorization", absl::StrCat("Bearer ", dialled.token));
}

absl::Status ToStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace heterosis
