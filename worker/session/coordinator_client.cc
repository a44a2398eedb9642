// SPDX-License-Identifier: Apache-2.0
// Implements coordinator_client.h over gRPC.
#include "worker/session/coordinator_client.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <thread>
#include <utility>

#include "common/base/status.h"
#include "heterosis/v1/worker_service.grpc.pb.h"
#include "proto/channel.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCallDeadline{20'000};
constexpr milliseconds kEndPoll{200};  // how often a waiting thread looks whether it is to end

// gRPC 1.51 reads and writes within calls, and besides only every five seconds. A worker's calls are far apart, and
// fail at once where the connection is broken: without this thread a TLS handshake would take longer than a coordinator
// waits for it, time and again, and a worker that was cut off would not come back.
class ConnectionTender {
 public:
  explicit ConnectionTender(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), thread_([this] { Run(); }) {}
  ~ConnectionTender() {
    over_ = true;
    thread_.join();
  }

 private:
  void Run() {
    while (!over_) {
      channel_->WaitForStateChange(channel_->GetState(false), std::chrono::system_clock::now() + kEndPoll);
    }
  }

  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

class GrpcClient : public CoordinatorClient {
 public:
  explicit GrpcClient(Dialled dialled)
      : dialled_(std::move(dialled)), stub_(v1::WorkerService::NewStub(dialled_.channel)), tender_(dialled_.channel) {}

  absl::StatusOr<Registration> Register(const std::string& worker, const std::string& device) override {
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_recipe_version(Recipe::kVersion);
    request.set_worker(worker);
    request.set_device(device);
    v1::RegisterResponse response;
    RETURN_IF_ERROR(Call(kCallDeadline, &v1::WorkerService::Stub::Register, request, &response));
    Registration registration;
    registration.session = response.session();
    registration.experiment = response.experiment();
    registration.run = response.run();
    for (const auto& model : response.models()) registration.models.push_back({model.name(), model.digest()});
    ASSIGN_OR_RETURN(registration.task, FromWire(response.task()));
    registration.heartbeat_interval = milliseconds(static_cast<int64_t>(response.heartbeat_seconds() * 1000));
    return registration;
  }

  absl::StatusOr<LeaseAnswer> Lease(const std::string& session, const std::vector<ModelIdentity>& models,
                                    milliseconds wait, bool device_error) override {
    v1::LeaseRequest request;
    request.set_session(session);
    for (const ModelIdentity& model : models) {
      auto& identity = *request.add_models();
      identity.set_name(model.name);
      identity.set_digest(model.digest);
    }
    request.set_wait_seconds(static_cast<double>(wait.count()) / 1000);
    request.set_device_error(device_error);
    v1::LeaseResponse response;
    RETURN_IF_ERROR(Call(kCallDeadline + wait, &v1::WorkerService::Stub::Lease, request, &response));
    switch (response.next_case()) {
      case v1::LeaseResponse::kWork: {
        ASSIGN_OR_RETURN(ShardWork work, FromWire(response.work()));
        return LeaseAnswer(std::move(work));
      }
      case v1::LeaseResponse::kCanary: {
        ASSIGN_OR_RETURN(CanaryWork work, FromWire(response.canary()));
        return LeaseAnswer(std::move(work));
      }
      case v1::LeaseResponse::kFinished:
        return LeaseAnswer(Finished{});
      default:
        return LeaseAnswer(AskAgain{});
    }
  }

  absl::StatusOr<std::vector<ShardKey>> Heartbeat(const LeaseHolder& holder,
                                                  const std::vector<ShardKey>& holding) override {
    v1::HeartbeatRequest request;
    request.set_session(holder.session);
    request.set_run(holder.run);
    for (const ShardKey& key : holding) *request.add_holding() = ToWire(key);
    v1::HeartbeatResponse response;
    RETURN_IF_ERROR(Call(kCallDeadline, &v1::WorkerService::Stub::Heartbeat, request, &response));
    std::vector<ShardKey> cancelled;
    for (const v1::ShardKey& key : response.cancelled()) cancelled.push_back(FromWire(key));
    return cancelled;
  }

  absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardResult& result) override {
    v1::ReportRequest request;
    *request.mutable_result() = ToWire(result);
    return Report(holder, request);
  }

  absl::StatusOr<bool> Report(const LeaseHolder& holder, const ShardFailure& failure) override {
    v1::ReportRequest request;
    *request.mutable_failure() = ToWire(failure);
    return Report(holder, request);
  }

  absl::StatusOr<bool> Report(const LeaseHolder& holder, const CanaryResult& canary) override {
    v1::ReportRequest request;
    *request.mutable_canary() = ToWire(canary);
    return Report(holder, request);
  }

 private:
  absl::StatusOr<bool> Report(const LeaseHolder& holder, v1::ReportRequest& request) {
    request.set_session(holder.session);
    request.set_run(holder.run);
    // gRPC's own error for this reads as if it might pass.
    if (const size_t bytes = request.ByteSizeLong(); bytes > static_cast<size_t>(kReportBytesMax)) {
      return absl::InvalidArgumentError(absl::StrCat("the report of a shard has ", bytes, " bytes, more than the ",
                                                     kReportBytesMax,
                                                     " that a coordinator takes: lower evaluation.shard_size"));
    }
    v1::ReportResponse response;
    RETURN_IF_ERROR(Call(kCallDeadline, &v1::WorkerService::Stub::Report, request, &response));
    return response.accepted();
  }

  template <typename Method, typename Request, typename Response>
  absl::Status Call(milliseconds deadline, Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    Authorize(dialled_, context);
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    return ToStatus(((*stub_).*method)(&context, request, response));
  }

  const Dialled dialled_;
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  ConnectionTender tender_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorClient>> MakeCoordinatorClient(const std::string& address,
                                                                         const ClientSecurity& security) {
  ASSIGN_OR_RETURN(Dialled dialled, Dial(address, security));
  return std::unique_ptr<CoordinatorClient>(std::make_unique<GrpcClient>(std::move(dialled)));
}

}  // namespace heterosis
