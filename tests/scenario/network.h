// SPDX-License-Identifier: Apache-2.0
// A network between workers and one coordinator that delays, loses, repeats and reorders calls, and is cut now and
// then.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <variant>

#include "absl/status/statusor.h"
#include "common/base/random.h"
#include "heterosis/v1/worker_service.pb.h"
#include "tests/scenario/events.h"

namespace heterosis {

using Request = std::variant<v1::RegisterRequest, v1::LeaseRequest, v1::HeartbeatRequest, v1::ReportRequest>;
using Response = std::variant<v1::RegisterResponse, v1::LeaseResponse, v1::HeartbeatResponse, v1::ReportResponse>;
using Reply = absl::StatusOr<Response>;
using OnReply = std::function<void(Reply)>;

struct NetworkFaults {
  double loss = 0;           // of a request or an answer
  double repetition = 0;     // the request comes a second time, some time later
  double stall = 0;          // a request or answer is held up for seconds, even beyond its deadline
  Clock::Duration delay{5};  // of an ordinary message, half of it to three times of it
};

// The coordinator's end.
class CallHandler {
 public:
  virtual ~CallHandler() = default;
  // Whether anything listens; nobody does while the coordinator is down.
  virtual bool listening() const = 0;
  // `from`: a worker's place. `gone` says whether the caller has been seen to leave. `reply` may be called at once or
  // later, once, or never where the coordinator dies before.
  virtual void Handle(int from, const Request& request, std::function<bool()> gone, OnReply reply) = 0;
};

class Network {
 public:
  Network(Events& events, uint64_t seed) : events_(events), random_(RandomKey({seed, HashText("network")})) {}

  NetworkFaults faults;
  void Connect(CallHandler* handler) { handler_ = handler; }

  // As gRPC: `reply` comes once, with DEADLINE_EXCEEDED at the latest. A call whose caller has died is left alone.
  void Call(int from, Request request, Clock::Duration deadline, OnReply reply);

  // Directions of a worker's line that carry nothing for now.
  void Cut(int worker, bool requests, bool answers) { cuts_[worker] = {requests, answers}; }
  void HealAll() { cuts_.clear(); }

  // The worker's process has ended: what comes for it is dropped, and in time the coordinator sees its connection gone.
  void WorkerDied(int worker);
  // The coordinator's process has ended: who waits for an answer hears so, unless the line is cut or the machine's
  // power was lost (`silently`): then the deadline tells.
  void CoordinatorDied(bool silently);

  int64_t calls() const { return calls_; }

 private:
  struct Cuts {
    bool requests = false, answers = false;
  };
  struct CallState {
    int from = 0;
    OnReply reply;
    bool delivered = false;  // the request, at least once
    bool gone = false;       // the coordinator knows that the caller is
  };

  Clock::Duration Delay();
  bool Lost(double chance) { return chance > 0 && random_.NextUniform() < chance; }
  void Deliver(int64_t call, const Request& request, int from);
  void Answer(int64_t call, Reply reply);
  void Finish(int64_t call, Reply reply);

  Events& events_;
  RandomStream random_;
  CallHandler* handler_ = nullptr;
  std::map<int, Cuts> cuts_;
  std::map<int64_t, CallState> open_;
  int64_t calls_ = 0;
};

}  // namespace heterosis
