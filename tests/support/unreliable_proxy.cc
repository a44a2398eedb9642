// SPDX-License-Identifier: Apache-2.0
// A network that cannot be relied on, between workers and a coordinator: forwards the calls of WorkerService, and by
// chance loses one or its answer, delivers it twice, holds it up until the lease has ended, delivers it once more
// later, or lets the caller's next try overtake it. At SIGTERM one JSON document on standard output tells what was done
// to the calls, and which of the results that arrived were counted. Usage: unreliable_proxy --listen HOST:PORT
// --coordinator HOST:PORT --seed N --hold-ms N
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/exit_code.h"
#include "common/base/json.h"
#include "common/base/logging.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "heterosis/v1/worker_service.grpc.pb.h"
#include "proto/channel.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

enum class Fault { kNone, kLost, kAnswerLost, kTwice, kHeldUp, kAgainLater, kOvertaken };
constexpr std::array<const char*, 7> kFaultNames = {"none",    "lost",        "answer lost", "twice",
                                                    "held up", "again later", "overtaken"};
constexpr int kUndisturbed = 6;  // calls that pass untouched, to one of each fault
constexpr milliseconds kCallDeadline{20'000};

// Calls that are delivered later, each on a thread of its own. What is still waiting at the end is dropped.
class Later {
 public:
  ~Later() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  void Add(milliseconds delay, std::function<void()> deliver) {
    MutexLock lock(mutex_);
    threads_.emplace_back([this, delay, deliver = std::move(deliver)] {
      const auto end = std::chrono::steady_clock::now() + delay;
      while (!over_ && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(milliseconds(5));
      if (!over_) deliver();
    });
  }

 private:
  std::atomic<bool> over_ = false;
  Mutex mutex_;
  std::vector<std::thread> threads_;  // guarded, but at the end
};

// What was done, and what the coordinator made of the results.
class Tally {
 public:
  void CountCall(const std::string& call, Fault fault) {
    MutexLock lock(mutex_);
    ++calls_[call][kFaultNames[static_cast<size_t>(fault)]];
  }
  // `number`: of the report, in the order in which workers handed them in.
  void CountResult(int64_t number, bool accepted) {
    MutexLock lock(mutex_);
    ++(accepted ? accepted_ : refused_);
    if (number < newest_) ++reordered_;
    newest_ = std::max(newest_, number);
  }
  std::string Text() {
    MutexLock lock(mutex_);
    return JsonText({{"calls", calls_}, {"accepted", accepted_}, {"refused", refused_}, {"reordered", reordered_}});
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::map<std::string, int>> calls_ ABSL_GUARDED_BY(mutex_);
  int64_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t reordered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t newest_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Proxy : public v1::WorkerService::Service {
 public:
  using Stub = v1::WorkerService::Stub;

  Proxy(const Dialled& coordinator, uint64_t seed, milliseconds hold)
      : stub_(v1::WorkerService::NewStub(coordinator.channel)), hold_(hold), dice_(seed) {}

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override {
    return Pass("register", &Stub::Register, *request, response);
  }
  grpc::Status Lease(grpc::ServerContext*, const v1::LeaseRequest* request, v1::LeaseResponse* response) override {
    return Pass("lease", &Stub::Lease, *request, response);
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    return Pass("heartbeat", &Stub::Heartbeat, *request, response);
  }
  grpc::Status Report(grpc::ServerContext*, const v1::ReportRequest* request, v1::ReportResponse* response) override {
    return Pass("report", &Stub::Report, *request, response);
  }

  std::string Summary() { return tally_.Text(); }

 private:
  template <typename Method, typename Request, typename Response>
  grpc::Status Pass(const std::string& call, Method method, const Request& request, Response* response) {
    const auto [fault, number, delay] = Draw();
    tally_.CountCall(call, fault);
    const grpc::Status lost(grpc::StatusCode::UNAVAILABLE, "lost on the way");
    const auto forward = [this, method, request, number = number](Response* answer) {
      return Forward(method, request, number, answer);
    };
    const auto forward_unheard = [forward] {
      Response unheard;
      (void)forward(&unheard);
    };
    switch (fault) {
      case Fault::kNone:
        break;
      case Fault::kLost:
        return lost;
      case Fault::kAnswerLost:
        forward_unheard();
        return lost;
      case Fault::kTwice:
        later_.Add(milliseconds(0), forward_unheard);
        break;
      case Fault::kHeldUp:
        std::this_thread::sleep_for(hold_);
        break;
      case Fault::kAgainLater:
        later_.Add(delay, forward_unheard);
        break;
      case Fault::kOvertaken:
        later_.Add(delay, forward_unheard);
        return lost;
    }
    return forward(response);
  }

  template <typename Method, typename Request, typename Response>
  grpc::Status Forward(Method method, const Request& request, int64_t number, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallDeadline);
    const grpc::Status status = ((*stub_).*method)(&context, request, response);
    if constexpr (std::is_same_v<Request, v1::ReportRequest>) {
      if (status.ok() && request.has_result()) tally_.CountResult(number, response->accepted());
    }
    return status;
  }

  struct Drawn {
    Fault fault = Fault::kNone;
    int64_t number = 0;     // of the call
    milliseconds delay{0};  // of what comes later: up to two of the others' holds
  };
  Drawn Draw() {
    MutexLock lock(mutex_);
    const size_t face = dice_() % (kUndisturbed + kFaultNames.size() - 1);
    const auto ms = static_cast<int64_t>(dice_() % static_cast<uint64_t>(2 * hold_.count()));
    return {face < kFaultNames.size() ? static_cast<Fault>(face) : Fault::kNone, ++calls_, milliseconds(ms)};
  }

  const std::unique_ptr<Stub> stub_;
  const milliseconds hold_;
  Tally tally_;
  Mutex mutex_;
  std::mt19937_64 dice_ ABSL_GUARDED_BY(mutex_);
  int64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  Later later_;  // ends first: it uses the others
};

int Main(const std::vector<std::string>& words) {
  InitLogging("unreliable_proxy", LogFormat::kText, false);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);  // of the threads to come, too

  std::string listen, coordinator, seed = "1", hold_ms = "1000";
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    if (words[i] == "--listen") listen = words[i + 1];
    if (words[i] == "--coordinator") coordinator = words[i + 1];
    if (words[i] == "--seed") seed = words[i + 1];
    if (words[i] == "--hold-ms") hold_ms = words[i + 1];
  }
  const absl::StatusOr<Dialled> dialled = Dial(coordinator, {});
  if (!dialled.ok()) return Tell(dialled.status());
  Proxy proxy(*dialled, std::stoull(seed), milliseconds(std::stoi(hold_ms)));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials());
  builder.RegisterService(&proxy);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Tell(absl::UnavailableError(absl::StrCat("cannot listen on ", listen)));
  int signal = 0;
  sigwait(&stop, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  std::printf("%s\n", proxy.Summary().c_str());
  return 0;
}

}  // namespace
}  // namespace heterosis

int main(int argc, char** argv) {
  return heterosis::Main({argv + 1, argv + argc});
}
