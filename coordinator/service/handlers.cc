// SPDX-License-Identifier: Apache-2.0
// Implements handlers.h.
#include "coordinator/service/handlers.h"

#include "common/base/logging.h"
#include "common/base/status.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

// Of all requests but a report: a session, names, digests, a handful of shard keys.
constexpr size_t kSmallRequestBytesMax = 256 << 10;

std::string StateName(ExperimentState state) {
  switch (state) {
    case ExperimentState::kRunning:
      return "running";
    case ExperimentState::kDone:
      return "done";
    case ExperimentState::kFailed:
      return "failed";
  }
  return "?";
}

void Fill(const Progress& progress, v1::GetProgressResponse* response) {
  response->set_state(StateName(progress.state));
  response->set_error(progress.error);
  response->set_phase(progress.phase);
  response->set_generation(progress.generation);
  response->set_generations(progress.generations);
  response->set_trials_done(progress.trials_done);
  response->set_trials_total(progress.trials_total);
  response->set_shards_open(progress.shards_open);
  response->set_shards_leased(progress.shards_leased);
  response->set_samples_done(progress.samples_done);
  response->set_samples_total(progress.samples_total);
  if (progress.best.has_value()) response->set_best(*progress.best);
  if (progress.mean.has_value()) response->set_mean(*progress.mean);
  response->set_samples_per_second(progress.samples_per_second);
  if (progress.eta_seconds.has_value()) response->set_eta_seconds(*progress.eta_seconds);
  response->set_workers(progress.workers);
}

}  // namespace

// Returns from the handler unless its caller may make this call.
#define RETURN_UNLESS_PERMITTED(role, bytes_max)                                                        \
  do {                                                                                                  \
    const grpc::Status permitted = gate_.Check(*context, (role), request->ByteSizeLong(), (bytes_max)); \
    if (!permitted.ok()) return permitted;                                                              \
  } while (false)

grpc::Status WorkerServiceHandlers::Register(grpc::ServerContext* context, const v1::RegisterRequest* request,
                                             v1::RegisterResponse* response) {
  RETURN_UNLESS_PERMITTED(Role::kWorker, kSmallRequestBytesMax);
  return ToGrpc(service_.Register(*request, response));
}

grpc::Status WorkerServiceHandlers::Lease(grpc::ServerContext* context, const v1::LeaseRequest* request,
                                          v1::LeaseResponse* response) {
  RETURN_UNLESS_PERMITTED(Role::kWorker, kSmallRequestBytesMax);
  return ToGrpc(service_.Lease(
      *request, [context] { return context->IsCancelled(); }, response));
}

grpc::Status WorkerServiceHandlers::Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                                              v1::HeartbeatResponse* response) {
  RETURN_UNLESS_PERMITTED(Role::kWorker, kSmallRequestBytesMax);
  return ToGrpc(service_.Heartbeat(*request, response));
}

grpc::Status WorkerServiceHandlers::Report(grpc::ServerContext* context, const v1::ReportRequest* request,
                                           v1::ReportResponse* response) {
  RETURN_UNLESS_PERMITTED(Role::kWorker, static_cast<size_t>(kReportBytesMax));
  return ToGrpc(service_.Report(*request, response));
}

grpc::Status AdminServiceHandlers::GetProgress(grpc::ServerContext* context, const v1::GetProgressRequest* request,
                                               v1::GetProgressResponse* response) {
  RETURN_UNLESS_PERMITTED(Role::kReader, kSmallRequestBytesMax);
  Fill(service_.progress(), response);
  return grpc::Status::OK;
}

grpc::Status AdminServiceHandlers::Stop(grpc::ServerContext* context, const v1::StopRequest* request,
                                        v1::StopResponse*) {
  RETURN_UNLESS_PERMITTED(Role::kAdmin, kSmallRequestBytesMax);
  LogInfo(absl::StrCat("an admin at ", context->peer(), " ends the run"));
  on_stop_();
  return grpc::Status::OK;
}

}  // namespace heterosis
