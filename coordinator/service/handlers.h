// SPDX-License-Identifier: Apache-2.0
// The gRPC services: one line a handler, behind the gate; all decisions are ExperimentService's.
#pragma once

#include <functional>

#include "coordinator/service/experiment_service.h"
#include "coordinator/service/gate.h"
#include "heterosis/v1/admin_service.grpc.pb.h"
#include "heterosis/v1/worker_service.grpc.pb.h"

namespace heterosis {

class WorkerServiceHandlers : public v1::WorkerService::Service {
 public:
  WorkerServiceHandlers(ExperimentService& service, Gate& gate) : service_(service), gate_(gate) {}

  grpc::Status Register(grpc::ServerContext* context, const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override;
  grpc::Status Lease(grpc::ServerContext* context, const v1::LeaseRequest* request,
                     v1::LeaseResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override;
  grpc::Status Report(grpc::ServerContext* context, const v1::ReportRequest* request,
                      v1::ReportResponse* response) override;

 private:
  ExperimentService& service_;
  Gate& gate_;
};

class AdminServiceHandlers : public v1::AdminService::Service {
 public:
  // `on_stop` is called from a thread of the server, perhaps more than once.
  AdminServiceHandlers(ExperimentService& service, Gate& gate, std::function<void()> on_stop)
      : service_(service), gate_(gate), on_stop_(std::move(on_stop)) {}

  grpc::Status GetProgress(grpc::ServerContext* context, const v1::GetProgressRequest* request,
                           v1::GetProgressResponse* response) override;
  grpc::Status Stop(grpc::ServerContext* context, const v1::StopRequest* request, v1::StopResponse* response) override;

 private:
  ExperimentService& service_;
  Gate& gate_;
  const std::function<void()> on_stop_;
};

}  // namespace heterosis
