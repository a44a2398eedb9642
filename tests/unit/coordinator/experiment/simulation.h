// SPDX-License-Identifier: Apache-2.0
// A small experiment (tests/support/small_experiment.h) with simulated workers, opened, worked on and opened again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/experiment/experiment.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"
#include "tests/support/shared.h"
#include "tests/support/small_experiment.h"

namespace heterosis {

// An experiment that is opened, worked on and opened again, as a coordinator is started again and again.
class SimulatedRun {
 public:
  using Evaluator = std::function<ShardResult(const ShardWork&)>;

  // `name`: of the database in `folder`.
  SimulatedRun(const TemporaryFolder& folder, const std::string& name) : path_(folder / name) {}

  ExperimentSetup setup = SmallSetup();
  std::function<absl::Status(std::string_view point)> commit_hook;
  FakeClock clock;

  // A start of the coordinator. The workers are new ones to it.
  absl::Status Start();
  // What kill -9 does: nothing more is written.
  void Kill();

  Experiment& experiment() { return *experiment_; }
  Store& store() { return *store_; }

  // Registers a worker for this start and returns its session.
  std::string Join(const std::string& name, const std::string& device = "cpu");

  // Lets `workers` workers lease, evaluate and report, one shard at a time in an order drawn from `order_seed`, until
  // the experiment ends or a call fails.
  absl::Status RunToEnd(int workers = 1, uint64_t order_seed = 0, const Evaluator& evaluate = Evaluate);

  // Everything in the database but times, attempts and names of workers, as text, a line per row.
  std::string Contents() const;
  // The first column of each row of a query.
  std::vector<std::string> Query(const std::string& sql) const;

 private:
  std::string path_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Experiment> experiment_;
  int starts_ = 0;
};

class ExperimentTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_{MemoryFolder()};
};

}  // namespace heterosis
