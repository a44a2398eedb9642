// SPDX-License-Identifier: Apache-2.0
// What a shard costs the database does not grow with the history of the run.
#include <sqlite3.h>

#include <map>

#include "gtest/gtest.h"
#include "tests/unit/coordinator/experiment/fleet.h"

namespace heterosis {
namespace {

constexpr int kGenerations = 40;

// Counts the steps of SQLite's virtual machine on every connection opened in its time: the same number on any machine.
class StepCounter {
 public:
  StepCounter() {
    steps_ = 0;
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(&Attach));
  }
  ~StepCounter() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&Attach)); }

  int64_t steps() const { return steps_; }

 private:
  static constexpr int kUnit = 10;

  static int Attach(sqlite3* handle, char**, const void*) {
    const auto count = [](void*) {
      steps_ += kUnit;
      return 0;
    };
    sqlite3_progress_handler(handle, kUnit, count, nullptr);
    return SQLITE_OK;
  }

  static inline int64_t steps_ = 0;
};

// The steps of an answer on average, by generation.
std::map<int, double> StepsByGeneration(SimulatedRun& run, int worker_count) {
  const StepCounter counter;
  EXPECT_TRUE(run.Start().ok());
  std::map<int, int64_t> begun;  // steps until the first answer
  std::map<int, int> answers;
  std::vector<FleetWorker> workers;
  for (int i = 0; i < worker_count; ++i) {
    workers.push_back({.name = absl::StrCat("worker ", i), .evaluate = [&](const ShardWork& work, int) {
                         const Progress progress = run.experiment().progress();
                         if (progress.stage == StageKind::kGeneration) {
                           begun.emplace(progress.generation, counter.steps());
                           ++answers[progress.generation];
                         }
                         return Evaluate(work);
                       }});
  }
  EXPECT_TRUE(RunFleet(run, workers, 0).ok());
  std::map<int, double> steps;
  for (auto next = begun.begin(); next != begun.end();) {
    const auto [generation, before] = *next++;
    if (next != begun.end()) steps[generation] = static_cast<double>(next->second - before) / answers[generation];
  }
  return steps;
}

struct CostCase {
  const char* name;
  v1::Scheduling::Replication replication;
  int canary_every, workers;
};

class CostTest : public ExperimentTest, public ::testing::WithParamInterface<CostCase> {};

TEST_P(CostTest, AShardCostsTheSameHoweverLongTheRun) {
  SimulatedRun run(folder_, "run.db");
  auto& phase = *run.setup.config.mutable_phases(0);
  phase.mutable_optimizer()->set_population(24);
  phase.mutable_budget()->set_generations(kGenerations + 1);
  run.setup.config.mutable_scheduling()->set_replication(GetParam().replication);
  run.setup.config.mutable_scheduling()->set_canary_every(GetParam().canary_every);
  const std::map<int, double> steps = StepsByGeneration(run, GetParam().workers);
  ASSERT_EQ(std::ssize(steps), kGenerations);
  const auto mean = [&](int first) {
    double sum = 0;
    for (int generation = first; generation < first + 10; ++generation) sum += steps.at(generation);
    return sum / 10;
  };
  EXPECT_LT(mean(kGenerations - 10), 1.25 * mean(1)) << "of the last ten generations and of 1 to 10";
  EXPECT_EQ(run.Query("SELECT 1 FROM audits LIMIT 1").size(), GetParam().workers > 1 ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Runs, CostTest,
                         ::testing::Values(CostCase{"Alone", v1::Scheduling::NEVER, 0, 1},
                                           CostCase{"Audited", v1::Scheduling::ALWAYS, 20, 3}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace heterosis
