// SPDX-License-Identifier: Apache-2.0
// Crashes: whatever is cut off, the database ends as that of an undisturbed run (DESIGN.md section 8, invariants 1-3).
#include <set>

#include "common/base/random.h"
#include "common/base/status.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

class CrashTest : public ExperimentTest {
 protected:
  // A run in `name` with this test's setup.
  std::unique_ptr<SimulatedRun> Run(const std::string& name) {
    auto run = std::make_unique<SimulatedRun>(folder_, name);
    run->setup = setup_;
    return run;
  }

  void SetUp() override { MakeExpected(); }

  void MakeExpected() {
    const std::unique_ptr<SimulatedRun> made = Run("undisturbed" + setup_.config.phases().rbegin()->name() + ".db");
    SimulatedRun& run = *made;
    run.commit_hook = [&](std::string_view) {
      ++commit_points_;
      return absl::OkStatus();
    };
    ASSERT_TRUE(run.Start().ok());
    ASSERT_TRUE(run.RunToEnd().ok());
    run.Kill();
    expected_ = run.Contents();
  }

  ExperimentSetup setup_ = SmallSetup();
  std::string expected_;
  int commit_points_ = 0;
};

// Parameter space, then data-flow space with the first one's winner.
class TwoPhaseCrashTest : public CrashTest {
 protected:
  void SetUp() override {
    setup_ = TwoPhaseSetup();
    MakeExpected();
  }
};

TEST_F(TwoPhaseCrashTest, KillsInAndBetweenThePhasesLoseNothing) {
  ASSERT_GT(commit_points_, 200);
  for (int death = 0; death < commit_points_; death += 7) {
    const std::unique_ptr<SimulatedRun> run = Run("two" + std::to_string(death) + ".db");
    int point = 0;
    run->commit_hook = [&](std::string_view) {
      return point++ == death ? absl::AbortedError("killed here") : absl::OkStatus();
    };
    if (run->Start().ok()) (void)run->RunToEnd();
    run->Kill();
    ASSERT_TRUE(run->Start().ok()) << "point " << death;
    ASSERT_TRUE(run->RunToEnd(2, static_cast<uint64_t>(death)).ok()) << "point " << death;
    run->Kill();
    ASSERT_EQ(run->Contents(), expected_) << "killed at point " << death;
  }
}

TEST_F(CrashTest, DeathAtAnyCommitPointLosesNothing) {
  // Starting the program again counts an epoch, so the points after a crash are not those of the undisturbed run: the
  // n-th point of the first start is what is enumerated.
  ASSERT_GT(commit_points_, 100);
  std::set<std::string> kinds;
  for (int death = 0; death < commit_points_; ++death) {
    SimulatedRun run(folder_, "crash" + std::to_string(death) + ".db");
    int point = 0;
    run.commit_hook = [&](std::string_view name) {
      if (point++ != death) return absl::OkStatus();
      kinds.emplace(name);
      return absl::AbortedError("killed here");
    };
    absl::Status status = run.Start();
    if (status.ok()) status = run.RunToEnd();
    // A death in the commit that begins a stage does not fail the report before it: the run goes on trying, and a start
    // after a kill has to come to the same end too.
    run.Kill();
    ASSERT_TRUE(run.Start().ok()) << "point " << death;
    ASSERT_TRUE(run.RunToEnd().ok()) << "point " << death;
    run.Kill();
    ASSERT_EQ(run.Contents(), expected_) << "killed at point " << death;
  }
  for (const char* kind : {"before experiment", "after experiment", "before epoch", "after epoch", "before stage",
                           "after stage", "before shard", "after shard", "before finish", "after finish"}) {
    EXPECT_TRUE(kinds.contains(kind)) << kind;
  }
}

TEST_F(CrashTest, KillsAtRandomMomentsLoseNothing) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedRun run(folder_, "random" + std::to_string(seed) + ".db");
    RandomStream dice(RandomKey({seed}));
    for (int start = 0; start < 6; ++start) {
      ASSERT_TRUE(run.Start().ok());
      uint64_t evaluations_left = dice.NextBelow(30);
      bool killed = false;
      const absl::Status status = run.RunToEnd(2, seed + static_cast<uint64_t>(start), [&](const ShardWork& work) {
        ShardResult result = Evaluate(work);
        if (evaluations_left-- == 0) killed = true;
        if (killed) result.samples.clear();  // what is refused stands for an answer that never came
        return result;
      });
      EXPECT_EQ(status.ok(), !killed) << status;
      run.Kill();
    }
    ASSERT_TRUE(run.Start().ok());
    ASSERT_TRUE(run.RunToEnd().ok());
    run.Kill();
    ASSERT_EQ(run.Contents(), expected_) << "seed " << seed;
  }
}

TEST_F(CrashTest, TrajectoryDoesNotDependOnNumberAndOrderOfWorkers) {
  for (const int workers : {1, 2, 3, 7}) {
    for (uint64_t order = 0; order < 5; ++order) {
      SimulatedRun run(folder_, absl::StrCat("workers", workers, "-", order, ".db"));
      ASSERT_TRUE(run.Start().ok());
      ASSERT_TRUE(run.RunToEnd(workers, order).ok());
      run.Kill();
      ASSERT_EQ(run.Contents(), expected_) << workers << " workers, order " << order;
    }
  }
}

TEST_F(CrashTest, ResultOfALeaseFromBeforeARestartCountsOnce) {
  SimulatedRun run(folder_, "late.db");
  ASSERT_TRUE(run.Start().ok());
  std::string worker = run.Join("slow");
  const auto early = run.experiment().Lease(worker);
  ASSERT_TRUE(early.ok() && early->has_value());
  ASSERT_TRUE(run.Start().ok());
  worker = run.Join("slow");
  EXPECT_EQ(*run.experiment().Report(worker, Evaluate(**early)), true);
  EXPECT_EQ(*run.experiment().Report(worker, Evaluate(**early)), false) << "the repeated report";
  ASSERT_TRUE(run.RunToEnd().ok());
  run.Kill();
  EXPECT_EQ(run.Contents(), expected_);
}

}  // namespace
}  // namespace heterosis
