// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/integrity: what tables must agree on, the schema, and what cannot be believed at all.
#include "coordinator/store/integrity.h"

#include <gmock/gmock.h>

#include "coordinator/store/checksum.h"
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class IntegrityTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    RunParents();
    const StageCommit commit = FirstGeneration();
    ASSERT_TRUE(Stage(commit).ok());
    Score(commit.trials[2], 1);
    store_.reset();
    database_ = Database::Open(path_, Database::Mode::kReadWriteCreate).value();
    ASSERT_TRUE(AddIntactViews(*database_).ok());
    ASSERT_TRUE(KeepChecksums(*database_).ok());
    ASSERT_TRUE(database_->Execute("PRAGMA foreign_keys = OFF").ok());
  }

  // What is found after a change that keeps the checksums, as a lost page or a lost write would leave them.
  std::vector<std::string> FoundAfter(const std::string& change) {
    const absl::Status changed = database_->Execute(change);
    EXPECT_TRUE(changed.ok()) << changed;
    const auto report = ExamineDatabase(*database_, 10);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->damage : std::vector<std::string>();
  }

  std::unique_ptr<Database> database_;
};

TEST_F(IntegrityTest, WhatTheStoreWroteIsSound) {
  EXPECT_THAT(FoundAfter("SELECT 1"), IsEmpty());
  EXPECT_TRUE(CheckIntegrity(*database_).ok());
  EXPECT_EQ(ExamineDatabase(*database_, 1)->tables, 20);
}

TEST_F(IntegrityTest, ATrialMustHaveTheTotalsOfItsResults) {
  EXPECT_THAT(FoundAfter("UPDATE results SET correct = 0 WHERE trial = 5"),
              ElementsAre(HasSubstr("trial 5: a done trial has other totals than its results")));
}

TEST_F(IntegrityTest, AResultThatIsLostIsMissed) {
  EXPECT_THAT(FoundAfter("DELETE FROM results WHERE trial = 5 AND sample = 3"),
              ElementsAre(HasSubstr("trial 5: a done trial"), HasSubstr("trial 5, shard 1: a shard is done without")));
}

TEST_F(IntegrityTest, AShardThatIsLostIsMissed) {
  EXPECT_THAT(FoundAfter("DELETE FROM shards WHERE trial = 4 AND shard = 1"),
              ElementsAre(HasSubstr("trial 4: a trial has other shards than it says")));
  EXPECT_THAT(FoundAfter("DELETE FROM shards WHERE trial = 5 AND shard = 1"), Contains(HasSubstr("table results")));
}

TEST_F(IntegrityTest, AFitnessMustBeTheTrialsScore) {
  EXPECT_THAT(FoundAfter("UPDATE genomes SET fitness = NULL WHERE genome = 6"),
              ElementsAre(HasSubstr("genome 6: a genome has another fitness")));
}

TEST_F(IntegrityTest, ASharedOutcomeMustBeTheSame) {
  EXPECT_THAT(FoundAfter("UPDATE trials SET state = 'pending', score = NULL, correct = NULL WHERE trial = 6"),
              Contains(HasSubstr("trial 6: a trial that shares another's outcome")));
}

TEST_F(IntegrityTest, AnEarlierStageMustBeClosed) {
  EXPECT_THAT(FoundAfter("UPDATE stages SET state = 'open' WHERE stage = 0"),
              ElementsAre(HasSubstr("stage 0: a stage before the last is open")));
}

TEST_F(IntegrityTest, AViewThatSaysSomethingElseIsFound) {
  EXPECT_THAT(FoundAfter("DROP VIEW parent_scores; CREATE VIEW parent_scores AS SELECT 1 AS name"),
              ElementsAre(HasSubstr("the view parent_scores is missing, or is not as this program makes it")));
}

TEST_F(IntegrityTest, AddingAnIndexIsNoDamage) {
  EXPECT_THAT(FoundAfter("CREATE INDEX mine ON results (answer)"), IsEmpty());
}

}  // namespace
}  // namespace heterosis
