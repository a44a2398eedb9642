// SPDX-License-Identifier: Apache-2.0
// A stranger's calls to a running experiment, one after another. The input is a list of calls: a byte for the RPC, two
// for the length of its request (little-endian), the request as protobuf bytes. Where a request says "*" as its session
// or run, it gets those of a registered worker, so that the fuzzer gets past the door.
#include <filesystem>
#include <memory>

#include "coordinator/experiment/experiment.h"
#include "coordinator/service/experiment_service.h"
#include "coordinator/store/store.h"
#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

class Coordinator {
 public:
  Coordinator() {
    std::filesystem::remove_all(ScratchFolder() + "/db");
    std::filesystem::create_directory(ScratchFolder() + "/db");
    auto store = Store::Open({.path = ScratchFolder() + "/db/fuzz.db"});
    FUZZ_CHECK(store.ok());
    store_ = *std::move(store);
    auto experiment = Experiment::Open(SmallSetup(), *store_, clock_);
    FUZZ_CHECK(experiment.ok());
    experiment_ = *std::move(experiment);
    service_ = std::make_unique<ExperimentService>(*experiment_, Task{}, Clock::Duration(60'000));
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_recipe_version(Recipe::kVersion);
    request.set_worker("honest");
    v1::RegisterResponse response;
    FUZZ_CHECK(service_->Register(request, &response).ok());
    session_ = response.session();
  }

  void Call(uint8_t rpc, std::string_view bytes) {
    switch (rpc % 4) {
      case 0:
        return Handle<v1::RegisterRequest, v1::RegisterResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Register(request, response); });
      case 1:
        return Handle<v1::LeaseRequest, v1::LeaseResponse>(bytes, [&](auto request, auto* response) {
          request.set_wait_seconds(0);
          return service_->Lease(
              request, [] { return false; }, response);
        });
      case 2:
        return Handle<v1::HeartbeatRequest, v1::HeartbeatResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Heartbeat(request, response); });
      default:
        return Handle<v1::ReportRequest, v1::ReportResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Report(request, response); });
    }
  }

  void StillServes() {
    FUZZ_CHECK(service_->Tick().ok());
    v1::HeartbeatRequest request;
    request.set_session(session_);
    v1::HeartbeatResponse response;
    FUZZ_CHECK(service_->Heartbeat(request, &response).ok());
  }

 private:
  template <typename Request, typename Response, typename Handler>
  void Handle(std::string_view bytes, Handler handler) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if constexpr (requires { request.session(); }) {
      if (request.session() == "*") request.set_session(session_);
    }
    if constexpr (requires { request.run(); }) {
      if (request.run() == "*") request.set_run(experiment_->run_id());
    }
    Response response;
    (void)handler(request, &response);
  }

  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Experiment> experiment_;
  std::unique_ptr<ExperimentService> service_;
  std::string session_;
};

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  Coordinator coordinator;
  std::string_view rest = AsText(data, size);
  while (rest.size() >= 3) {
    const auto rpc = static_cast<uint8_t>(rest[0]);
    const size_t length = static_cast<uint8_t>(rest[1]) + 256u * static_cast<uint8_t>(rest[2]);
    rest.remove_prefix(3);
    coordinator.Call(rpc, rest.substr(0, length));
    rest.remove_prefix(std::min(length, rest.size()));
  }
  coordinator.StillServes();
  return 0;
}
