// SPDX-License-Identifier: Apache-2.0
// The coordinator's process in virtual time: the real store, experiment and service on a simulated disk, driven as
// coordinator/app.cc drives them; it can be killed at any operation of its disk, stopped and started again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/base/random.h"
#include "coordinator/experiment/experiment.h"
#include "coordinator/service/experiment_service.h"
#include "coordinator/store/store.h"
#include "tests/scenario/disk.h"
#include "tests/scenario/events.h"
#include "tests/scenario/network.h"
#include "tests/scenario/referee.h"

namespace heterosis {

class SimulatedCoordinator : public CallHandler {
 public:
  SimulatedCoordinator(Events& events, Network& network, SimulatedDisk& disk, Referee& referee, ExperimentSetup setup,
                       std::string path, uint64_t seed);
  ~SimulatedCoordinator() override;

  void Start();
  // Dies now or, where `operations` is positive, in so many operations of the disk; starts again `down` later.
  void Kill(Crash crash, int64_t operations, Clock::Duration down);
  // SIGTERM and a start later.
  void Restart(Clock::Duration down);
  // The host has seen a worker's process end (coordinator/local_workers).
  void WorkerLost(const std::string& worker);

  // The experiment is finished and the process has ended by itself.
  bool ended() const { return ended_; }
  bool listening() const override { return service_ != nullptr; }
  int starts() const { return starts_; }
  // Processor time spent in calls of the service and in ticks, and how many calls there were.
  double cpu_seconds() const { return cpu_seconds_; }
  int64_t calls() const { return calls_; }
  Progress progress() const { return service_->progress(); }

  void Handle(int from, const Request& request, std::function<bool()> gone, OnReply reply) override;

 private:
  // A lease call that waits for work.
  struct Waiting {
    v1::LeaseRequest request;
    std::function<bool()> gone;
    OnReply reply;
    Clock::Duration until{0}, look{0};  // it gives up; it looks by itself
  };

  absl::Status Open();
  void Tick(int life);
  void Ended(absl::Status why, Clock::Duration down);
  void Gone(bool silently);
  // After everything that may have met the planned crash: whether the process is dead.
  bool DiedMeanwhile();
  absl::Status TryLease(const v1::LeaseRequest& request, const std::function<bool()>& gone,
                        v1::LeaseResponse* response);
  void OnLease(const v1::LeaseRequest& request, std::function<bool()> gone, const OnReply& reply);
  void OnReport(const v1::ReportRequest& request, const OnReply& reply);
  // As ExperimentService::WakeWaiting: as many waiting calls as there is work for look again, all at the end, and,
  // where the clock is looked at, those whose time has come.
  void Wake(bool look_at_clock);
  // Whether the call goes on waiting.
  bool LookAgain(Waiting& call);

  Events& events_;
  Network& network_;
  SimulatedDisk& disk_;
  Referee& referee_;
  const ExperimentSetup setup_;
  const std::string path_;
  const uint64_t seed_;
  RandomStream random_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Experiment> experiment_;
  std::unique_ptr<ExperimentService> service_;
  std::deque<Waiting> waiting_;
  int starts_ = 0;
  int life_ = 0;
  Crash crash_ = Crash::kKilled;     // the planned one
  Clock::Duration down_{1'000};      // after it
  Clock::Duration finished_at_{-1};  // when this process saw the end
  bool ended_ = false;
  double cpu_seconds_ = 0;
  int64_t calls_ = 0;
};

}  // namespace heterosis
