// SPDX-License-Identifier: Apache-2.0
// Implements reflection.h from the descriptors that protobuf compiles into the program.
#include "coordinator/service/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <array>
#include <set>
#include <string>

namespace heterosis {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

constexpr std::array kServices = {"heterosis.v1.WorkerService", "heterosis.v1.AdminService",
                                  "grpc.reflection.v1alpha.ServerReflection"};
constexpr size_t kRequestBytesMax = 4 << 10;

void AddWithImports(const FileDescriptor& file, std::set<std::string>& added,
                    grpc::reflection::v1alpha::FileDescriptorResponse* response) {
  if (!added.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddWithImports(*file.dependency(i), added, response);
}

const FileDescriptor* FindFile(const ReflectionHandlers::Request& request) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  return request.has_file_by_filename() ? pool.FindFileByName(request.file_by_filename())
                                        : pool.FindFileContainingSymbol(request.file_containing_symbol());
}

void SetError(grpc::StatusCode code, const std::string& message, ReflectionHandlers::Response* response) {
  response->mutable_error_response()->set_error_code(code);
  response->mutable_error_response()->set_error_message(message);
}

}  // namespace

ReflectionHandlers::Response Describe(const ReflectionHandlers::Request& request) {
  ReflectionHandlers::Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  if (request.has_list_services()) {
    for (const char* service : kServices) response.mutable_list_services_response()->add_service()->set_name(service);
    return response;
  }
  if (!request.has_file_by_filename() && !request.has_file_containing_symbol()) {
    SetError(grpc::StatusCode::UNIMPLEMENTED, "only files, symbols and the list of services can be asked for",
             &response);
    return response;
  }
  const FileDescriptor* file = FindFile(request);
  if (file == nullptr) {
    SetError(grpc::StatusCode::NOT_FOUND, "there is no such file or symbol", &response);
    return response;
  }
  std::set<std::string> added;
  AddWithImports(*file, added, response.mutable_file_descriptor_response());
  return response;
}

grpc::Status ReflectionHandlers::ServerReflectionInfo(grpc::ServerContext* context,
                                                      grpc::ServerReaderWriter<Response, Request>* stream) {
  // Before anything is read of it.
  if (grpc::Status permitted = gate_.Check(*context, Role::kAdmin, 0, 0); !permitted.ok()) return permitted;
  for (Request request; stream->Read(&request);) {
    if (grpc::Status sound = gate_.Check(*context, Role::kAdmin, request.ByteSizeLong(), kRequestBytesMax);
        !sound.ok()) {
      return sound;
    }
    if (!stream->Write(Describe(request))) break;
  }
  return grpc::Status::OK;
}

}  // namespace heterosis
