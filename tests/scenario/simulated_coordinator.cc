// SPDX-License-Identifier: Apache-2.0
// Implements simulated_coordinator.h.
#include "tests/scenario/simulated_coordinator.h"

#include <time.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/config/task_config.h"
#include "proto/wire.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{200};  // as coordinator/app.cc
constexpr milliseconds kDrain{5'000};
constexpr milliseconds kGonePoll{500};  // as the service

class CpuTimer {
 public:
  explicit CpuTimer(double& total) : total_(total), start_(Now()) {}
  ~CpuTimer() { total_ += Now() - start_; }

 private:
  static double Now() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  double& total_;
  double start_;
};

Clock::Duration LeaseOf(const ExperimentSetup& setup) {
  return milliseconds(static_cast<int64_t>(setup.config.scheduling().lease_seconds() * 1000));
}

}  // namespace

SimulatedCoordinator::SimulatedCoordinator(Events& events, Network& network, SimulatedDisk& disk, Referee& referee,
                                           ExperimentSetup setup, std::string path, uint64_t seed)
    : events_(events),
      network_(network),
      disk_(disk),
      referee_(referee),
      setup_(std::move(setup)),
      path_(std::move(path)),
      seed_(seed),
      random_(RandomKey({seed, HashText("coordinator")})) {
  network_.Connect(this);
}

SimulatedCoordinator::~SimulatedCoordinator() = default;

absl::Status SimulatedCoordinator::Open() {
  ASSIGN_OR_RETURN(store_, Store::Open({.path = path_}));
  ASSIGN_OR_RETURN(experiment_, Experiment::Open(setup_, *store_, events_));
  return absl::OkStatus();
}

void SimulatedCoordinator::Start() {
  if (ended_ || service_ != nullptr) return;
  disk_.Restart();
  ++life_;
  ++starts_;
  referee_.Log("coordinator: start %d", starts_);
  const DiskFaults faults = disk_.faults;
  const absl::Status opened = Open();
  if (DiedMeanwhile()) return;
  if (!opened.ok()) {
    if (faults == DiskFaults()) referee_.Violation("the coordinator cannot start: %s", Message(opened));
    return Ended(opened, milliseconds(2'000));
  }
  service_ = std::make_unique<ExperimentService>(
      *experiment_, TaskFromConfig(setup_.config), LeaseOf(setup_),
      ServiceOptions{.clock = &events_, .session_prefix = absl::StrCat("start", starts_)});
  referee_.CheckPromises(path_);
  finished_at_ = Clock::Duration(-1);
  events_.After(kTick, [this, life = life_] { Tick(life); });
}

// As Serve and SayGoodbye of coordinator/app.cc.
void SimulatedCoordinator::Tick(int life) {
  if (life != life_ || service_ == nullptr) return;
  absl::Status ticked;
  {
    const CpuTimer timer(cpu_seconds_);
    ticked = service_->Tick();
  }
  if (DiedMeanwhile()) return;
  if (absl::IsDataLoss(ticked)) referee_.Violation("the database is damaged: %s", Message(ticked));
  if (!ticked.ok() && !Experiment::MayPass(ticked)) return Ended(ticked, milliseconds(5'000));
  if (!ticked.ok()) referee_.Log("coordinator: paused: %s", Message(ticked));
  // While nothing can be written the end of a lease cannot be, either.
  if (ticked.ok() && !store_->paused()) referee_.CheckLeases(service_->progress(), 2 * kTick);
  Wake(/*look_at_clock=*/true);
  if (service_ == nullptr) return;
  if (service_->finished() && finished_at_.count() < 0) finished_at_ = events_.now();
  if (finished_at_.count() >= 0 && (service_->EveryoneKnowsTheEnd() || events_.now() - finished_at_ >= kDrain)) {
    referee_.Log("coordinator: finished");
    Gone(/*silently=*/false);
    ended_ = !disk_.crashed();
    if (!ended_) events_.After(down_, [this] { Start(); });
    return;
  }
  events_.After(kTick, [this, life] { Tick(life); });
}

// The process's memory is no more. Where the disk has not crashed, SQLite closes its files in order.
void SimulatedCoordinator::Gone(bool silently) {
  ++life_;
  waiting_.clear();
  service_.reset();
  experiment_.reset();
  store_.reset();
  referee_.Forget();
  network_.CoordinatorDied(silently);
}

void SimulatedCoordinator::Ended(absl::Status why, Clock::Duration down) {
  referee_.Log("coordinator: ends: %s", Message(why));
  Gone(/*silently=*/false);
  events_.After(down, [this] { Start(); });
}

bool SimulatedCoordinator::DiedMeanwhile() {
  if (!disk_.crashed()) return false;
  referee_.Log("coordinator: %s", crash_ == Crash::kKilled ? "killed" : "the power is gone");
  Gone(crash_ == Crash::kPowerLost);
  events_.After(down_, [this] { Start(); });
  return true;
}

void SimulatedCoordinator::Kill(Crash crash, int64_t operations, Clock::Duration down) {
  if (service_ == nullptr || ended_) return;
  crash_ = crash;
  down_ = down;
  if (operations > 0) return disk_.CrashAfter(operations, crash);
  disk_.CrashNow(crash);
  DiedMeanwhile();
}

void SimulatedCoordinator::Restart(Clock::Duration down) {
  if (service_ == nullptr || ended_) return;
  Ended(absl::CancelledError("stopped"), down);
}

void SimulatedCoordinator::WorkerLost(const std::string& worker) {
  if (service_ == nullptr) return;
  service_->WorkerLost(worker);
  if (!DiedMeanwhile()) Wake(/*look_at_clock=*/false);
}

absl::Status SimulatedCoordinator::TryLease(const v1::LeaseRequest& request, const std::function<bool()>& gone,
                                            v1::LeaseResponse* response) {
  v1::LeaseRequest now = request;
  now.set_wait_seconds(0);
  absl::Status status;
  {
    const CpuTimer timer(cpu_seconds_);
    status = service_->Lease(now, gone, response);
  }
  if (disk_.crashed() || !status.ok()) return status;
  referee_.Heard(request.session());
  if (!response->has_work()) return status;
  const absl::StatusOr<ShardWork> work = FromWire(response->work());
  if (!work.ok()) {
    referee_.Violation("work that makes no sense: %s", Message(work.status()));
  } else {
    referee_.HandedOut(request.session(), *work, service_->progress());
  }
  return status;
}

void SimulatedCoordinator::OnLease(const v1::LeaseRequest& request, std::function<bool()> gone, const OnReply& reply) {
  v1::LeaseResponse response;
  const absl::Status status = TryLease(request, gone, &response);
  if (DiedMeanwhile()) return;
  if (!status.ok()) return reply(status);
  if (!response.retry()) return reply(Response(std::move(response)));
  const milliseconds wait(static_cast<int64_t>(request.wait_seconds() * 1000));
  waiting_.push_back({request, std::move(gone), reply, events_.now() + wait, events_.now() + kGonePoll});
}

bool SimulatedCoordinator::LookAgain(Waiting& call) {
  v1::LeaseResponse response;
  if (events_.now() >= call.until || call.gone()) {
    response.set_retry(true);
    call.reply(Response(std::move(response)));
    return false;
  }
  const absl::Status status = TryLease(call.request, call.gone, &response);
  if (DiedMeanwhile()) return false;
  call.look = events_.now() + kGonePoll;
  if (status.ok() && response.retry()) return true;
  call.reply(status.ok() ? Reply(Response(std::move(response))) : Reply(status));
  return false;
}

void SimulatedCoordinator::Wake(bool look_at_clock) {
  const Progress progress = service_->progress();
  int64_t wanted = service_->finished() ? static_cast<int64_t>(waiting_.size())
                                        : std::max(0, progress.shards_open - progress.shards_leased);
  for (size_t count = waiting_.size(); count > 0 && service_ != nullptr; --count) {
    if (wanted <= 0 && !look_at_clock) return;
    Waiting call = std::move(waiting_.front());
    waiting_.pop_front();
    const bool looks = wanted > 0 || events_.now() >= call.look;
    --wanted;
    if ((!looks || LookAgain(call)) && service_ != nullptr) waiting_.push_back(std::move(call));
  }
}

void SimulatedCoordinator::OnReport(const v1::ReportRequest& request, const OnReply& reply) {
  v1::ReportResponse response;
  absl::Status status;
  {
    const CpuTimer timer(cpu_seconds_);
    status = service_->Report(request, &response);
  }
  if (DiedMeanwhile()) return;
  if (status.ok() && response.accepted() && !request.has_canary()) {
    referee_.Counted(FromWire(request.has_result() ? request.result().key() : request.failure().key()),
                     request.has_result());
  }
  if (!status.ok()) referee_.Log("coordinator: a report was not taken: %s", Message(status));
  reply(status.ok() ? Reply(Response(std::move(response))) : Reply(status));
  if (status.ok()) Wake(/*look_at_clock=*/false);
}

void SimulatedCoordinator::Handle(int, const Request& request, std::function<bool()> gone, OnReply reply) {
  ++calls_;
  if (const auto* registering = std::get_if<v1::RegisterRequest>(&request)) {
    v1::RegisterResponse response;
    const absl::Status status = service_->Register(*registering, &response);
    if (DiedMeanwhile()) return;
    if (status.ok()) referee_.Heard(response.session());
    return reply(status.ok() ? Reply(Response(std::move(response))) : Reply(status));
  }
  if (const auto* leasing = std::get_if<v1::LeaseRequest>(&request)) {
    return OnLease(*leasing, std::move(gone), reply);
  }
  if (const auto* beating = std::get_if<v1::HeartbeatRequest>(&request)) {
    v1::HeartbeatResponse response;
    absl::Status status;
    {
      const CpuTimer timer(cpu_seconds_);
      status = service_->Heartbeat(*beating, &response);
    }
    if (status.ok()) referee_.Heard(beating->session());
    return reply(status.ok() ? Reply(Response(std::move(response))) : Reply(status));
  }
  OnReport(std::get<v1::ReportRequest>(request), reply);
}

}  // namespace heterosis
