// SPDX-License-Identifier: Apache-2.0
// Implements server.h: acceptors of our own in front of gRPC, a gate in front of each handler.
#include "coordinator/service/server.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/host_port.h"
#include "common/base/logging.h"
#include "common/base/pem.h"
#include "common/base/secret.h"
#include "common/base/status.h"
#include "coordinator/service/acceptor.h"
#include "coordinator/service/gate.h"
#include "coordinator/service/handlers.h"
#include "coordinator/service/reflection.h"
#include "coordinator/service/tokens.h"
#include "proto/channel.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

constexpr int kHandshakeTimeoutMs = 3'000;  // TLS, and the first HTTP/2 frame
constexpr int kConnectionIdleMs = 300'000;  // without a call; a client dials again when it needs to
constexpr int kStreamsMax = 16;             // calls of one connection at a time; a worker makes two
constexpr int kHeadersBytesMax = 8 << 10;
constexpr int kPingIntervalMinMs = 1'000;  // of clients; ours ping every kKeepaliveTimeMs
constexpr size_t kMemoryBytesMax = size_t{512} << 20;
constexpr int kOtherFiles = 128;  // database, logs, pipes, and what gRPC opens for itself
constexpr int kLocalConnectionsMax = 512;
constexpr int kOtherThreads = 64;

// All that the options mean, read.
struct Security {
  HostPort address;
  std::optional<KeyPair> tls;
  std::string client_authorities;
  Tokens tokens;
  bool tokens_needed = false;
  bool loopback = false;
};

absl::StatusOr<Tokens> ReadTokens(const ServerOptions& options) {
  if (!options.token_file.empty()) {
    ASSIGN_OR_RETURN(const std::string content, ReadSecretFile(options.token_file, "--token-file"));
    return Tokens::Parse(content, options.token_file);
  }
  if (options.tokens.empty()) return Tokens();
  return Tokens::Parse(absl::StrReplaceAll(options.tokens, {{",", "\n"}}), "HETEROSIS_TOKENS");
}

absl::Status CheckReach(const ServerOptions& options, const Security& security) {
  if (security.loopback || options.insecure) return absl::OkStatus();
  std::vector<std::string> missing;
  if (!security.tls.has_value()) missing.push_back("TLS (--tls-cert FILE --tls-key FILE; deploy/tls makes them)");
  if (!security.tokens_needed) missing.push_back("tokens (--token-file FILE or HETEROSIS_TOKENS)");
  if (missing.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--listen ", options.address,
                   " is reachable from other machines, whose users could take work and hand in results; missing: ",
                   absl::StrJoin(missing, " and "),
                   ". See docs/security.md; on a network where you trust everyone, --insecure does without"));
}

absl::StatusOr<Security> ReadSecurity(const ServerOptions& options) {
  const std::optional<HostPort> address = ParseHostPort(options.address);
  if (!address.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.address, ": write HOST:PORT, for example 127.0.0.1:50551 or [::1]:50551"));
  }
  Security security{.address = *address, .loopback = IsLoopback(address->host)};
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key belong together: give both");
  }
  if (!options.tls_client_ca.empty() && options.tls_cert.empty()) {
    return absl::InvalidArgumentError(
        "--tls-client-ca needs --tls-cert and --tls-key: without TLS nobody shows a certificate");
  }
  if (!options.tls_cert.empty()) {
    ASSIGN_OR_RETURN(security.tls, ReadKeyPair(options.tls_cert, options.tls_key));
  }
  if (!options.tls_client_ca.empty()) {
    ASSIGN_OR_RETURN(security.client_authorities, ReadAuthorities(options.tls_client_ca, "--tls-client-ca"));
  }
  ASSIGN_OR_RETURN(security.tokens, ReadTokens(options));
  security.tokens_needed = !security.tokens.empty();
  RETURN_IF_ERROR(CheckReach(options, security));
  return security;
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const Security& security) {
  if (!security.tls.has_value()) return grpc::InsecureServerCredentials();
  const bool ask = !security.client_authorities.empty();
  grpc::SslServerCredentialsOptions options(ask ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = security.client_authorities;
  options.pem_key_cert_pairs.push_back({security.tls->private_key, security.tls->certificate_chain});
  return grpc::SslServerCredentials(options);
}

void SetLimits(grpc::ServerBuilder& builder, int connections_max) {
  builder.SetMaxReceiveMessageSize(kReportBytesMax);  // the gate has smaller ones for all but reports
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kConnectionIdleMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kHeadersBytesMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMinMs);
  grpc::ResourceQuota quota("coordinator");
  quota.Resize(kMemoryBytesMax);
  quota.SetMaxThreads(connections_max + kOtherThreads);  // a worker that waits for work holds one
  builder.SetResourceQuota(quota);
}

// Keepalive pings a connection that is silent. This is for one whose other end is heard, but does not hear us: what we
// send must be acknowledged in time, too. On sockets that it has not accepted itself gRPC does not set that.
void LimitTimeUnacknowledged(int fd) {
  const unsigned int limit_ms = kKeepaliveTimeoutMs;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);  // fails on one that was just closed
}

// gRPC writes a line for each handshake that fails: an attack would fill the disk. What counts is in the statuses.
void LogOfGrpc(gpr_log_func_args* args) {
  LogDebug(absl::StrCat("gRPC: ", args->message));
}

class GrpcServer : public Server {
 public:
  explicit GrpcServer(ExperimentService& service) : service_(service) {}
  ~GrpcServer() override { Stop(std::chrono::milliseconds(1'000)); }

  absl::Status Start(const ServerOptions& options, Security security) {
    const bool own_way = options.local_workers && (security.tls.has_value() || !security.loopback);
    const int allowed = OpenFilesAllowed(kOtherFiles);
    ConnectionLimits limits = options.limits;
    const int most = std::min(limits.connections_max, own_way ? allowed / 2 : allowed);
    limits.connections_max = most;
    limits.per_address_max = std::min(limits.per_address_max, most);
    ASSIGN_OR_RETURN(public_, Acceptor::Listen(security.address, limits));
    if (own_way) {
      limits.connections_max = limits.per_address_max = std::min(kLocalConnectionsMax, allowed / 2);
      ASSIGN_OR_RETURN(local_, Acceptor::Listen({.host = "127.0.0.1", .port = 0}, limits));
    }
    if (options.local_workers && (security.tokens_needed || security.tls.has_value())) {
      local_token_ = RandomToken();
      RETURN_IF_ERROR(security.tokens.Add(Role::kWorker, local_token_));
    }
    MakeHandlers(options, security);
    return Serve(security, most + (own_way ? limits.connections_max : 0));
  }

  std::string address() const override { return public_->address().Text(); }
  std::string local_address() const override { return (local_ != nullptr ? local_ : public_)->address().Text(); }
  std::string local_token() const override { return local_token_; }

  void Stop(std::chrono::milliseconds patience) override {
    if (server_ == nullptr) return;
    public_->Stop();  // what is handed to a server that has ended would never be closed
    if (local_ != nullptr) local_->Stop();
    service_.StopLeasing();
    server_->Shutdown(std::chrono::system_clock::now() + patience);
    server_.reset();
  }

 private:
  using ExternalAcceptor = std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>;

  void MakeHandlers(const ServerOptions& options, Security& security) {
    std::vector<Acceptor*> acceptors = {public_.get()};
    if (local_ != nullptr) acceptors.push_back(local_.get());
    gate_.emplace(GatePolicy{std::move(security.tokens), security.tokens_needed, security.tls.has_value()},
                  std::move(acceptors));
    worker_handlers_.emplace(service_, *gate_);
    admin_handlers_.emplace(service_, *gate_, options.on_stop);
    reflection_.emplace(*gate_);
  }

  static ExternalAcceptor AddWay(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials) {
    using Builder = grpc::ServerBuilder::experimental_type;
    return builder.experimental().AddExternalConnectionAcceptor(Builder::ExternalConnectionType::FROM_FD,
                                                                std::move(credentials));
  }
  static Acceptor::HandOver HandOverTo(grpc::experimental::ExternalConnectionAcceptor& way) {
    return [&way](int listener_fd, int fd) {
      LimitTimeUnacknowledged(fd);
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
      connection.listener_fd = listener_fd;
      connection.fd = fd;
      way.HandleNewConnection(&connection);
    };
  }

  absl::Status Serve(const Security& security, int connections_max) {
    gpr_set_log_function(LogOfGrpc);
    // gRPC's own health service. It tells no more than that somebody listens, and answers without a token.
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    SetLimits(builder, connections_max);
    builder.RegisterService(&*worker_handlers_);
    builder.RegisterService(&*admin_handlers_);
    builder.RegisterService(&*reflection_);
    public_way_ = AddWay(builder, Credentials(security));
    if (local_ != nullptr) local_way_ = AddWay(builder, grpc::InsecureServerCredentials());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return absl::InternalError("the gRPC server does not start: --verbose shows why");
    }
    public_->Start(HandOverTo(*public_way_));
    if (local_ != nullptr) local_->Start(HandOverTo(*local_way_));
    return absl::OkStatus();
  }

  ExperimentService& service_;
  std::unique_ptr<Acceptor> public_;
  std::unique_ptr<Acceptor> local_;  // null where local workers dial the public one, or there are none
  std::string local_token_;
  std::optional<Gate> gate_;
  std::optional<WorkerServiceHandlers> worker_handlers_;
  std::optional<AdminServiceHandlers> admin_handlers_;
  std::optional<ReflectionHandlers> reflection_;
  ExternalAcceptor public_way_;
  ExternalAcceptor local_way_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::Status CheckListen(const ServerOptions& options) {
  return ReadSecurity(options).status();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, ExperimentService& service) {
  ASSIGN_OR_RETURN(Security security, ReadSecurity(options));
  if (!security.loopback && (!security.tls.has_value() || !security.tokens_needed)) {
    LogWarning(
        absl::StrCat("--insecure: whoever reaches ", options.address, " may ",
                     security.tokens_needed ? "read tokens and work on the way" : "take work and hand in results"));
  }
  auto server = std::make_unique<GrpcServer>(service);
  RETURN_IF_ERROR(server->Start(options, std::move(security)));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace heterosis
