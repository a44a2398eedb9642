// SPDX-License-Identifier: Apache-2.0
// A disk that fails under a whole run, at every single operation in turn: what was not written is not acknowledged,
// what was acknowledged stays, work pauses with one line in the log and goes on, and the database ends as that of an
// undisturbed run. The same for another program's lock, and for clocks that jump.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

#include "common/base/logging.h"
#include "common/base/status.h"
#include "coordinator/store/sqlite.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// One generation of three candidates, one shard a trial: few enough writes to fail each of them.
ExperimentSetup TinySetup() {
  ExperimentSetup setup = SmallSetup();
  setup.config.mutable_phases(0)->mutable_optimizer()->set_population(3);
  setup.config.mutable_phases(0)->mutable_budget()->set_generations(1);
  setup.config.mutable_evaluation()->set_shard_size(8);
  return setup;
}

// A coordinator on a bad disk, an operator who starts it again where it does not start, and a worker that repeats what
// the coordinator could not take, as sessions do.
class BadDiskRun {
 public:
  explicit BadDiskRun(std::string path) : path_(std::move(path)) {}

  // At most `steps` calls of the worker. Whether the experiment has ended.
  bool Work(int steps) {
    for (int step = 0; step < steps && !finished(); ++step) {
      if (experiment_ == nullptr && !Start()) continue;
      WorkerCalls();
      clock_.Advance(milliseconds(300));
      const absl::Status ticked = experiment_->Tick();
      EXPECT_TRUE(ticked.ok() || Experiment::MayPass(ticked)) << ticked;
    }
    return finished();
  }
  void Kill() {
    experiment_.reset();
    store_.reset();
    held_.reset();
    registered_ = false;
  }
  bool running() const { return experiment_ != nullptr; }
  bool finished() const { return experiment_ != nullptr && experiment_->finished(); }
  Store& store() { return *store_; }
  Experiment& experiment() { return *experiment_; }
  FakeClock& clock() { return clock_; }
  std::string Contents() const { return DatabaseContents(path_).value_or("unreadable"); }
  int refused() const { return refused_; }  // reports that could not be written

 private:
  bool Start() {
    Kill();
    auto store = Store::Open({.path = path_, .busy_wait = milliseconds(1)});
    if (!store.ok()) return false;
    auto experiment = Experiment::Open(TinySetup(), **store, clock_);
    if (!experiment.ok()) return false;
    store_ = *std::move(store);
    experiment_ = *std::move(experiment);
    return true;
  }

  void WorkerCalls() {
    if (!registered_) {
      registered_ = experiment_->RegisterWorker({"session", "worker", "cpu"}).ok();
      return;
    }
    if (!held_.has_value()) {
      const auto leased = experiment_->Lease("session");
      if (leased.ok()) held_ = *leased;
      return;
    }
    const absl::StatusOr<bool> accepted = experiment_->Report("session", Evaluate(*held_));
    if (accepted.ok()) {
      held_.reset();
      return;
    }
    ++refused_;
    EXPECT_TRUE(Experiment::MayPass(accepted.status())) << accepted.status();
    EXPECT_TRUE(IsOpen(held_->key)) << "not acknowledged, and yet there";
    EXPECT_FALSE(experiment_->Lease("another").value().has_value()) << "handed out what cannot be kept";
  }

  bool IsOpen(const ShardKey& key) {
    const std::vector<UnfinishedTrial> trials = store_->UnfinishedTrials().value();
    return std::any_of(trials.begin(), trials.end(), [&](const UnfinishedTrial& trial) {
      return trial.trial == key.trial && std::count(trial.open_shards.begin(), trial.open_shards.end(), key.shard) == 1;
    });
  }

  const std::string path_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Experiment> experiment_;
  bool registered_ = false;
  std::optional<ShardWork> held_;
  int refused_ = 0;
};

constexpr int kSteps = 500;  // far more than a run has

class DiskTest : public ExperimentTest {
 protected:
  static void SetUpTestSuite() { InitLogging("disk_test", LogFormat::kText, false); }  // to standard error

  void SetUp() override {
    disk_.Reset();
    BadDiskRun run(folder_ / "undisturbed.db");
    ASSERT_TRUE(run.Work(kSteps));
    run.Kill();
    operations_ = disk_.operations();
    ASSERT_GT(operations_, 100);
    expected_ = run.Contents();
    disk_.Reset();
  }

  FaultVfs disk_;
  int64_t operations_ = 0;  // of an undisturbed run, from its start to its end
  std::string expected_;
};

TEST_F(DiskTest, EveryOperationMayFailOnce) {
  int refused = 0;
  for (int64_t operation = 0; operation < operations_; ++operation) {
    BadDiskRun run(folder_ / absl::StrCat("once", operation, ".db"));
    disk_.FailAt(operation, /*for_ever=*/false);
    ASSERT_TRUE(run.Work(kSteps)) << "operation " << operation;
    run.Kill();
    ASSERT_EQ(disk_.failures(), 1) << "operation " << operation;
    disk_.Reset();
    ASSERT_EQ(run.Contents(), expected_) << "operation " << operation;
    ASSERT_TRUE(Store::Open({.path = folder_ / absl::StrCat("once", operation, ".db")}).ok()) << operation;
    refused += run.refused();
  }
  EXPECT_GT(refused, 10);
  RecordProperty("operations", absl::StrCat(operations_));
  RecordProperty("refused", absl::StrCat(refused));
}

TEST_F(DiskTest, AFullDiskPausesWorkWithOneLineUntilThereIsRoom) {
  int paused = 0;
  for (int64_t operation = 0; operation < operations_; operation += 3) {
    BadDiskRun run(folder_ / absl::StrCat("full", operation, ".db"));
    disk_.FailAt(operation, /*for_ever=*/true);
    testing::internal::CaptureStderr();
    const bool ended = run.Work(100);
    const std::string during = testing::internal::GetCapturedStderr();
    if (ended) break;                        // what is left is closing the file
    const bool was_running = run.running();  // else it could not even start, and says why
    if (was_running) {
      EXPECT_TRUE(run.store().paused());
      EXPECT_EQ(Count(during, "nothing can be written, work is paused"), 1u) << during;
      EXPECT_LE(Count(during, "\n"), 3u) << during;  // with those of the start
      ++paused;
    }
    disk_.Reset();
    testing::internal::CaptureStderr();
    ASSERT_TRUE(run.Work(kSteps)) << "operation " << operation;
    const std::string after = testing::internal::GetCapturedStderr();
    EXPECT_EQ(Count(after, "writing works again"), was_running ? 1u : 0u) << during << after;
    run.Kill();
    ASSERT_EQ(run.Contents(), expected_) << "operation " << operation;
  }
  EXPECT_GT(paused, 10);
}

TEST_F(DiskTest, ALockOfAnotherProgramIsWaitedForWithOneLine) {
  BadDiskRun run(folder_ / "locked.db");
  ASSERT_FALSE(run.Work(8));
  const auto other = Database::Open(folder_ / "locked.db", Database::Mode::kReadWriteCreate).value();
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE").ok());
  testing::internal::CaptureStderr();
  ASSERT_FALSE(run.Work(50));
  const std::string during = testing::internal::GetCapturedStderr();
  EXPECT_EQ(Count(during, "work is paused"), 1u) << during;
  EXPECT_EQ(Count(during, "database is locked"), 1u) << during;
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  ASSERT_TRUE(run.Work(kSteps));
  run.Kill();
  EXPECT_EQ(run.Contents(), expected_);
}

TEST_F(DiskTest, AReaderDoesNotHoldUpARun) {
  BadDiskRun run(folder_ / "read.db");
  ASSERT_FALSE(run.Work(8));
  const auto other = Database::Open(folder_ / "read.db", Database::Mode::kReadOnly).value();
  ASSERT_TRUE(other->Execute("BEGIN; SELECT count(*) FROM results").ok());
  ASSERT_TRUE(run.Work(kSteps));
  EXPECT_EQ(run.refused(), 0);
}

// Leases run on the monotonic clock; the wall clock is for people, and its times stay in order.
TEST_F(DiskTest, AJumpOfTheWallClockLosesNoLeaseAndLeavesTheTimesInOrder) {
  for (const auto jump : {std::chrono::hours(-24 * 365), std::chrono::hours(24 * 365 * 30)}) {
    const std::string path = folder_ / absl::StrCat("jump", jump.count(), ".db");
    BadDiskRun run(path);
    for (int i = 0; !run.Work(3); ++i) {
      run.clock().JumpWall(i % 2 == 0 ? jump : -jump);
      if (i % 5 == 4) run.Kill();  // and at a start
    }
    EXPECT_EQ(run.refused(), 0);
    run.Kill();
    EXPECT_EQ(run.Contents(), expected_);
    EXPECT_EQ(QueryDatabase(path, "SELECT count(*) FROM failures").value(), std::vector<std::string>{"0"});
    EXPECT_EQ(QueryDatabase(path,
                            "SELECT count(*) FROM stages s LEFT JOIN stages n ON n.stage = s.stage + 1 WHERE "
                            "s.finished_ms < s.created_ms OR n.created_ms < s.finished_ms")
                  .value(),
              std::vector<std::string>{"0"});
    EXPECT_EQ(QueryDatabase(path, "SELECT count(*) FROM trials WHERE finished_ms < created_ms").value(),
              std::vector<std::string>{"0"});
  }
}

}  // namespace
}  // namespace heterosis
