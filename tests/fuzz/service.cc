// SPDX-License-Identifier: Apache-2.0
// A stranger's calls to a running experiment, one after another. An input is a list of calls: a byte for the RPC, two
// for the length of its request (little-endian), the request as protobuf bytes; before them one byte, "c" where workers
// are asked for canaries. So that the fuzzer gets past the door, a request that says "*" as its session or run gets
// those of a registered worker, and a report or heartbeat without a key or number those of what was handed out last.
//
// Opening an experiment takes longer than a hundred calls. In a fuzzer one is therefore used for many inputs, and their
// calls are written to ARTIFACT_PREFIXhistory-PID before they are made: that file is itself an input, which does it
// again.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/experiment/experiment.h"
#include "coordinator/service/experiment_service.h"
#include "coordinator/service/reflection.h"
#include "coordinator/store/sqlite.h"
#include "coordinator/store/store.h"
#include "proto/wire.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"
#include "tests/support/fake_clock.h"
#include "tests/support/small_experiment.h"

namespace heterosis {
namespace {

constexpr int kInputsMax = 100;  // of one experiment

enum Rpc : uint8_t { kRegister, kLease, kHeartbeat, kReport, kReflection, kTime, kRpcs };

// One database for all experiments, emptied before each: making its tables takes longer than all else.
class EmptyStore {
 public:
  EmptyStore() {
    const std::string path = ScratchFolder() + "/fuzz.db";
    store_ = Store::Open({.path = path}).value();
    // Beside the store's own connection: that one checks and seals rows.
    eraser_ = Database::Open(path, Database::Mode::kReadWriteCreate).value();
    erase_ = "PRAGMA foreign_keys = OFF; BEGIN;";
    Statement tables = eraser_->Prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").value();
    while (tables.Step().value()) absl::StrAppend(&erase_, "DELETE FROM ", tables.Text(0), ";");
    erase_ += "COMMIT";
  }

  Store& Emptied() {
    FUZZ_CHECK(eraser_->Execute(erase_).ok());
    return *store_;
  }

 private:
  std::unique_ptr<Store> store_;
  std::unique_ptr<Database> eraser_;
  std::string erase_;
};

// The calls to the experiment that is open, as one input; removed where the program ends well.
class History {
 public:
  History() : path_(ArtifactPrefix().empty() ? "" : absl::StrCat(ArtifactPrefix(), "history-", getpid())) {}
  ~History() {
    if (file_ != nullptr) std::fclose(file_);
    if (is_kept()) std::remove(path_.c_str());
  }

  bool is_kept() const { return !path_.empty(); }
  void Begin(bool canaries) {
    if (!is_kept()) return;
    file_ = file_ == nullptr ? std::fopen(path_.c_str(), "wb") : std::freopen(path_.c_str(), "wb", file_);
    FUZZ_CHECK(file_ != nullptr);
    Write(canaries ? "c" : "-");
  }
  void Add(uint8_t rpc, std::string_view request) {
    if (!is_kept()) return;
    const size_t size = request.size();
    Write(
        absl::StrCat(std::string{static_cast<char>(rpc), static_cast<char>(size & 0xFF), static_cast<char>(size >> 8)},
                     std::string(request)));
  }

 private:
  void Write(const std::string& bytes) {
    FUZZ_CHECK(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() && std::fflush(file_) == 0);
  }

  const std::string path_;
  std::FILE* file_ = nullptr;
};

class Coordinator {
 public:
  Coordinator(Store& store, History& history, bool canaries) : history_(history) {
    ExperimentSetup setup = SmallSetup();
    if (canaries) setup.config.mutable_scheduling()->set_canary_every(2);
    experiment_ = Experiment::Open(std::move(setup), store, clock_).value();
    service_ = std::make_unique<ExperimentService>(*experiment_, Task{}, Clock::Duration(60'000),
                                                   ServiceOptions{.clock = &clock_, .session_prefix = "fuzz"});
    history_.Begin(canaries);
    v1::RegisterRequest request;
    request.set_protocol_version(kProtocolVersion);
    request.set_recipe_version(Recipe::kVersion);
    request.set_worker("honest");
    v1::RegisterResponse response;
    FUZZ_CHECK(service_->Register(request, &response).ok());
    session_ = response.session();
  }

  absl::Status Call(uint8_t rpc, std::string_view bytes) {
    history_.Add(rpc, bytes);
    switch (rpc % kRpcs) {
      case kRegister:
        return Handle<v1::RegisterRequest, v1::RegisterResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Register(request, response); });
      case kLease:
        return Handle<v1::LeaseRequest, v1::LeaseResponse>(
            bytes, [&](auto request, auto* response) { return Lease(request, response); });
      case kHeartbeat:
        return Handle<v1::HeartbeatRequest, v1::HeartbeatResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Heartbeat(request, response); });
      case kReport:
        return Handle<v1::ReportRequest, v1::ReportResponse>(
            bytes, [&](const auto& request, auto* response) { return service_->Report(request, response); });
      case kReflection:
        return Handle<ReflectionHandlers::Request, ReflectionHandlers::Response>(
            bytes, [](const auto& request, auto* response) {
              *response = Describe(request);
              return absl::OkStatus();
            });
      default:  // no call: so many seconds pass
        clock_.Advance(std::chrono::seconds(bytes.size()));
        return service_->Tick();
    }
  }

  void StillServes() {
    FUZZ_CHECK(Call(kTime, "").ok());
    v1::HeartbeatRequest request;
    request.set_session("*");
    FUZZ_CHECK(Call(kHeartbeat, request.SerializeAsString()).ok());
  }

  // Of no use to a further input.
  bool IsSpent() const { return service_->finished() || !experiment_->WhyBarred(session_).empty(); }

 private:
  template <typename Request, typename Response, typename Handler>
  absl::Status Handle(std::string_view bytes, Handler handler) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::InvalidArgumentError("no request");
    }
    if constexpr (requires { request.session(); }) {
      if (request.session() == "*") request.set_session(session_);
    }
    if constexpr (requires { request.run(); }) {
      if (request.run() == "*") request.set_run(experiment_->run_id());
      Complete(request);
    }
    Response response;
    return handler(request, &response);
  }

  absl::Status Lease(v1::LeaseRequest& request, v1::LeaseResponse* response) {
    request.set_wait_seconds(0);
    const absl::Status status = service_->Lease(
        request, [] { return false; }, response);
    if (response->has_work()) work_ = response->work();
    if (response->has_canary()) canary_ = response->canary().number();
    return status;
  }

  void Complete(v1::HeartbeatRequest& request) const {
    for (v1::ShardKey& key : *request.mutable_holding()) {
      if (key.trial() == 0) key = work_.key();
    }
  }

  void Complete(v1::ReportRequest& request) const {
    if (request.has_canary() && request.canary().number() == 0) request.mutable_canary()->set_number(canary_);
    if (request.has_failure() && !request.failure().has_key()) *request.mutable_failure()->mutable_key() = work_.key();
    if (!request.has_result() || request.result().has_key()) return;
    v1::ShardResult& result = *request.mutable_result();
    *result.mutable_key() = work_.key();
    for (int i = 0; i < std::min(result.samples_size(), work_.samples_size()); ++i) {
      result.mutable_samples(i)->set_sample(work_.samples(i));
    }
  }

  History& history_;
  FakeClock clock_;
  std::unique_ptr<Experiment> experiment_;
  std::unique_ptr<ExperimentService> service_;
  std::string session_;
  v1::ShardWork work_;  // handed out last
  int64_t canary_ = 0;
};

}  // namespace
}  // namespace heterosis

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  static EmptyStore store;
  static History history;
  static std::unique_ptr<Coordinator> coordinator;
  static int inputs = 0;
  if (size == 0) return 0;
  if (coordinator == nullptr || !history.is_kept() || inputs >= kInputsMax || coordinator->IsSpent()) {
    coordinator = nullptr;  // before its store is emptied
    coordinator = std::make_unique<Coordinator>(store.Emptied(), history, data[0] == 'c');
    inputs = 0;
  }
  ++inputs;
  std::string_view rest = AsText(data + 1, size - 1);
  while (rest.size() >= 3) {
    const auto rpc = static_cast<uint8_t>(rest[0]);
    const size_t length = static_cast<uint8_t>(rest[1]) + 256u * static_cast<uint8_t>(rest[2]);
    rest.remove_prefix(3);
    (void)coordinator->Call(rpc, rest.substr(0, length));
    rest.remove_prefix(std::min(length, rest.size()));
  }
  coordinator->StillServes();
  return 0;
}
