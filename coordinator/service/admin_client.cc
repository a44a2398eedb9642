// SPDX-License-Identifier: Apache-2.0
// Implements admin_client.h.
#include "coordinator/service/admin_client.h"

#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "heterosis/v1/admin_service.grpc.pb.h"

namespace heterosis {
namespace {

constexpr std::chrono::seconds kDeadline{10};

template <typename Method, typename Request, typename Response>
absl::Status Call(const AdminTarget& target, Method method, const Request& request, Response* response) {
  ASSIGN_OR_RETURN(const Dialled dialled, Dial(target.address, target.security));
  const auto stub = v1::AdminService::NewStub(dialled.channel);
  grpc::ClientContext context;
  Authorize(dialled, context);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  return Annotate(ToStatus(((*stub).*method)(&context, request, response)), target.address);
}

std::string AsText(const v1::GetProgressResponse& progress) {
  std::string text = absl::StrFormat("state    %s\n", progress.state());
  if (!progress.error().empty()) absl::StrAppend(&text, "error    ", progress.error(), "\n");
  if (!progress.phase().empty()) {
    absl::StrAppendFormat(&text, "phase    %s, generation %d of %d\n", progress.phase(), progress.generation() + 1,
                          progress.generations());
  }
  absl::StrAppendFormat(&text, "trials   %d of %d of this stage\n", progress.trials_done(), progress.trials_total());
  absl::StrAppendFormat(&text, "shards   %d open, %d of them leased\n", progress.shards_open(),
                        progress.shards_leased());
  absl::StrAppendFormat(&text, "samples  %d of about %d, %.1f a second\n", progress.samples_done(),
                        progress.samples_total(), progress.samples_per_second());
  if (progress.has_best()) absl::StrAppendFormat(&text, "best     %.1f%%\n", progress.best() * 100);
  if (progress.has_mean()) absl::StrAppendFormat(&text, "mean     %.1f%%\n", progress.mean() * 100);
  absl::StrAppendFormat(&text, "workers  %d\n", progress.workers());
  if (progress.has_eta_seconds()) absl::StrAppendFormat(&text, "left     %.0f s\n", progress.eta_seconds());
  return text;
}

}  // namespace

absl::StatusOr<std::string> AskProgress(const AdminTarget& target, bool json) {
  v1::GetProgressResponse progress;
  RETURN_IF_ERROR(Call(target, &v1::AdminService::Stub::GetProgress, v1::GetProgressRequest(), &progress));
  if (!json) return AsText(progress);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(progress, &text, options).ok()) {
    return absl::InternalError("the answer cannot be written as JSON");
  }
  return text + "\n";
}

absl::Status AskToStop(const AdminTarget& target) {
  v1::StopResponse response;
  return Call(target, &v1::AdminService::Stub::Stop, v1::StopRequest(), &response);
}

}  // namespace heterosis
