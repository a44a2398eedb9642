// SPDX-License-Identifier: Apache-2.0
// Implements server.h: one line a handler, all decisions are ExperimentService's.
#include "coordinator/service/server.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>

#include <charconv>
#include <optional>
#include <utility>

#include "common/base/status.h"
#include "heterosis/v1/worker_service.grpc.pb.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

class WorkerServiceHandlers : public v1::WorkerService::Service {
 public:
  explicit WorkerServiceHandlers(ExperimentService& service) : service_(service) {}

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override {
    return ToGrpc(service_.Register(*request, response));
  }
  grpc::Status Lease(grpc::ServerContext* context, const v1::LeaseRequest* request,
                     v1::LeaseResponse* response) override {
    return ToGrpc(service_.Lease(
        *request, [context] { return context->IsCancelled(); }, response));
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    return ToGrpc(service_.Heartbeat(*request, response));
  }
  grpc::Status Report(grpc::ServerContext*, const v1::ReportRequest* request, v1::ReportResponse* response) override {
    return ToGrpc(service_.Report(*request, response));
  }

 private:
  ExperimentService& service_;
};

// HOST and PORT of "HOST:PORT"; nothing where the text is something else. gRPC knows more forms (unix:, dns:), which
// would need rules of their own.
struct HostPort {
  std::string host;
  int port = 0;
};

std::optional<HostPort> ParseAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  HostPort parsed;
  parsed.host = address.substr(0, colon);
  const bool bracketed = parsed.host.front() == '[' && parsed.host.back() == ']';
  if (!bracketed && parsed.host.find_first_of("[]:/") != std::string::npos) return std::nullopt;
  const std::string port = address.substr(colon + 1);
  const char* end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data(), end, parsed.port);
  if (error != std::errc() || rest != end || parsed.port < 0 || parsed.port > 65535) return std::nullopt;
  return parsed;
}

// By number, not by the beginning of the text: 127.example.com is a name that may lead anywhere.
bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "[::1]") return true;
  in_addr parsed{};
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1 && (ntohl(parsed.s_addr) >> 24) == 127;
}

class GrpcServer : public Server {
 public:
  explicit GrpcServer(ExperimentService& service) : service_(service), handlers_(service) {}
  ~GrpcServer() override { Stop(std::chrono::milliseconds(1'000)); }

  absl::Status Start(const std::string& address, const std::string& host) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&handlers_);
    builder.SetMaxReceiveMessageSize(kReportBytesMax);
    // Two coordinators must not share a port: the second one has to fail.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", address, ": is another program using that port?"));
    }
    address_ = absl::StrCat(host, ":", port);
    return absl::OkStatus();
  }

  std::string address() const override { return address_; }

  void Stop(std::chrono::milliseconds patience) override {
    if (server_ == nullptr) return;
    service_.StopLeasing();
    server_->Shutdown(std::chrono::system_clock::now() + patience);
    server_.reset();
  }

 private:
  ExperimentService& service_;
  WorkerServiceHandlers handlers_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace

absl::Status CheckListen(const ServerOptions& options) {
  const std::optional<HostPort> parsed = ParseAddress(options.address);
  if (!parsed.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.address, ": write HOST:PORT, for example 127.0.0.1:50551 or [::1]:50551"));
  }
  if (!options.insecure && !IsLoopback(parsed->host)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.address,
                     " is reachable from other machines without TLS: anyone there could take work and "
                     "hand in results. On a private network that is trusted, add --insecure; else tunnel to a loopback "
                     "address (ssh -L)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, ExperimentService& service) {
  RETURN_IF_ERROR(CheckListen(options));
  auto server = std::make_unique<GrpcServer>(service);
  RETURN_IF_ERROR(server->Start(options.address, ParseAddress(options.address)->host));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace heterosis
