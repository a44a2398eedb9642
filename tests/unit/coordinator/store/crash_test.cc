// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/store: a crash right before a commit leaves nothing of it, one right after leaves all.
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {
namespace {

// The points of a crash: each kind of commit with an error right before it, and right after it.
struct CrashCase {
  std::string what;
  std::function<absl::Status(Store&, int64_t)> commit;
  std::string count;  // of what the commit writes
};

class CrashTest : public StoreTest, public ::testing::WithParamInterface<CrashCase> {
 protected:
  int64_t Count() {
    auto database = Database::Open(path_, Database::Mode::kReadOnly).value();
    return database->Number(GetParam().count).value();
  }
  absl::Status CommitWithErrorAt(const std::string& point) {
    hook_ = [point](std::string_view here) {
      return here == point ? absl::AbortedError("crash at " + point) : absl::OkStatus();
    };
    const absl::Status status = GetParam().commit(*store_, Now());
    hook_ = nullptr;
    return status;
  }
};

TEST_P(CrashTest, AnErrorBeforeACommitLeavesNothingAndTheCallMayBeRepeated) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  const int64_t before = Count();
  EXPECT_EQ(CommitWithErrorAt("before " + GetParam().what).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Count(), before);
  Open();
  EXPECT_EQ(Count(), before);
  ASSERT_TRUE(GetParam().commit(*store_, Now()).ok());
  EXPECT_EQ(Count(), before + 1);
}

TEST_P(CrashTest, AnErrorAfterACommitLeavesAll) {
  RunParents();
  ASSERT_TRUE(Stage(FirstGeneration()).ok());
  const int64_t before = Count();
  EXPECT_EQ(CommitWithErrorAt("after " + GetParam().what).code(), absl::StatusCode::kAborted);
  Open();
  EXPECT_EQ(Count(), before + 1);
}

// What has to be before the next stage; nothing where it is done already.
void FinishFirstGeneration(Store& store, int64_t now) {
  for (const int trial : {3, 4, 5}) {
    (void)store.CommitShard(Answer(trial, 0, 1, true), now);
    (void)store.CommitShard(Answer(trial, 1, 3, true), now);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Commits, CrashTest,
    ::testing::Values(CrashCase{"epoch", [](Store& store, int64_t now) { return store.BeginEpoch(now).status(); },
                                "SELECT count(*) FROM starts"},
                      CrashCase{"stage",
                                [](Store& store, int64_t now) {
                                  FinishFirstGeneration(store, now);
                                  return store.CommitStage(
                                      {.stage = {.stage = 2, .kind = StageKind::kFinal},
                                       .trials = {TrialOf(7, 1, Purpose::kTest, Whole(Split::kTest))}},
                                      now);
                                },
                                "SELECT count(*) FROM trials"},
                      CrashCase{"shard",
                                [](Store& store, int64_t now) { return store.CommitShard(Answer(4, 0, 1, true), now); },
                                "SELECT count(*) FROM results"},
                      CrashCase{"failure",
                                [](Store& store, int64_t now) {
                                  return store.CommitFailure(Failure(4, 0, FailureClass::kCrash, "x"), now);
                                },
                                "SELECT count(*) FROM failures"},
                      CrashCase{"worker",
                                [](Store& store, int64_t now) {
                                  return store.CommitWorker({"s", "n", "d"}, now);
                                },
                                "SELECT count(*) FROM workers"},
                      CrashCase{"finish",
                                [](Store& store, int64_t now) {
                                  return store.Finish({ExperimentState::kDone, ""}, now);
                                },
                                "SELECT count(*) FROM experiment WHERE state = 'done'"}),
    [](const auto& test) { return test.param.what; });

TEST(StoreCreationTest, ACrashBeforeTheExperimentIsWrittenLeavesAnEmptyDatabase) {
  TemporaryFolder folder;
  const std::string path = folder / "run.db";
  {
    auto store = Store::Open({.path = path, .commit_hook = [](std::string_view point) {
                                return point == "before experiment" ? absl::AbortedError("crash") : absl::OkStatus();
                              }});
    ASSERT_TRUE(store.ok());
    EXPECT_FALSE((*store)->CreateExperiment(SmallExperiment(), 1).ok());
  }
  auto store = Store::Open({.path = path});
  ASSERT_TRUE(store.ok());
  EXPECT_FALSE((*store)->HasExperiment().value());
  EXPECT_TRUE((*store)->CreateExperiment(SmallExperiment(), 2).ok());
}

}  // namespace
}  // namespace heterosis
