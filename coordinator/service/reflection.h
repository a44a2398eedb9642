// SPDX-License-Identifier: Apache-2.0
// gRPC's server reflection, for admins only: gRPC's own plugin asks nobody for a token.
#pragma once

#include "coordinator/service/gate.h"
#include "heterosis/v1/reflection.grpc.pb.h"

namespace heterosis {

class ReflectionHandlers : public grpc::reflection::v1alpha::ServerReflection::Service {
 public:
  explicit ReflectionHandlers(Gate& gate) : gate_(gate) {}

  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
  grpc::Status ServerReflectionInfo(grpc::ServerContext* context,
                                    grpc::ServerReaderWriter<Response, Request>* stream) override;

 private:
  Gate& gate_;
};

// The answer to one request; an unknown name is an answer too.
ReflectionHandlers::Response Describe(const ReflectionHandlers::Request& request);

}  // namespace heterosis
