// SPDX-License-Identifier: Apache-2.0
// The simulated disk keeps what was synced, loses what was not, and SQLite works on it and survives its crashes.
#include "tests/scenario/disk.h"

#include <sqlite3.h>

#include "coordinator/store/sqlite.h"
#include "gtest/gtest.h"

namespace heterosis {
namespace {

constexpr char kPath[] = "/simulated/t.db";

class SimulatedDiskTest : public ::testing::Test {
 protected:
  void Open() {
    auto database = Database::Open(kPath, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database.ok()) << database.status();
    database_ = *std::move(database);
  }
  void OpenLogged(const std::string& synchronous) {
    Open();
    ASSERT_TRUE(database_->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = " + synchronous).ok());
  }
  void Reopen() {
    database_.reset();
    disk_.Restart();
    Open();
  }
  absl::Status Insert(int value) {
    return database_->Execute("INSERT INTO numbers VALUES (" + std::to_string(value) + ")");
  }
  int64_t Rows() {
    const absl::StatusOr<int64_t> count = database_->Number("SELECT count(*) FROM numbers");
    EXPECT_TRUE(count.ok()) << count.status();
    return count.value_or(-1);
  }

  SimulatedDisk disk_{1};
  std::unique_ptr<Database> database_;
};

TEST_F(SimulatedDiskTest, IsTheProcessesDefaultOnlyWhileItLives) {
  sqlite3_vfs* const ours = sqlite3_vfs_find(nullptr);
  EXPECT_STREQ(ours->zName, "simulated-disk");
  {
    SimulatedDisk another(2);
    EXPECT_NE(sqlite3_vfs_find(nullptr), ours);
  }
  EXPECT_EQ(sqlite3_vfs_find(nullptr), ours);
}

TEST_F(SimulatedDiskTest, WhatWasCommittedSurvivesAnyCrashAtAnyOperation) {
  OpenLogged("FULL");
  ASSERT_TRUE(database_->Execute("PRAGMA wal_autocheckpoint = 7; CREATE TABLE numbers (n INTEGER) STRICT").ok());
  int64_t committed = 0;
  for (int round = 0; round < 300; ++round) {
    disk_.CrashAfter(1 + round % 17, round % 2 == 0 ? Crash::kPowerLost : Crash::kKilled);
    int64_t tried = 0;
    while (!disk_.crashed()) {
      ++tried;
      committed += Insert(round).ok() ? 1 : 0;
    }
    ASSERT_GT(tried, 0);
    Reopen();
    const int64_t rows = Rows();
    // The last one may have been written whole before its answer was lost.
    ASSERT_GE(rows, committed) << "round " << round;
    ASSERT_LE(rows, committed + 1) << "round " << round;
    // What a kill left written but not synced counts as committed only from the next commit on, which syncs it too.
    ASSERT_TRUE(database_->Execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 7").ok());
    ASSERT_TRUE(Insert(-1).ok());
    committed = rows + 1;
  }
  absl::StatusOr<Statement> check = database_->Prepare("PRAGMA integrity_check");
  ASSERT_TRUE(check.ok() && check->Step().ok());
  EXPECT_EQ(check->Text(0), "ok");
}

TEST_F(SimulatedDiskTest, WhatWasNotSyncedIsLostWithThePower) {
  int lost = 0;
  for (int round = 0; round < 40; ++round) {
    const std::string path = "/simulated/" + std::to_string(round) + ".db";
    auto database = Database::Open(path, Database::Mode::kReadWriteCreate);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE((*database)->Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").ok());
    ASSERT_TRUE((*database)->Execute("CREATE TABLE numbers (n INTEGER) STRICT; INSERT INTO numbers VALUES (1)").ok());
    disk_.CrashNow(Crash::kPowerLost);
    database->reset();
    disk_.Restart();
    // Not even the table need be there, or the file be sound: that is what synchronous = OFF risks.
    database = Database::Open(path, Database::Mode::kReadWriteCreate);
    lost += !database.ok() || (*database)->Number("SELECT count(*) FROM numbers").value_or(0) == 0 ? 1 : 0;
  }
  EXPECT_GT(lost, 0);
  EXPECT_LT(lost, 40);
}

TEST_F(SimulatedDiskTest, AKillLosesNothingThatWasWritten) {
  OpenLogged("OFF");
  ASSERT_TRUE(database_->Execute("CREATE TABLE numbers (n INTEGER) STRICT").ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Insert(i).ok());
  disk_.CrashNow(Crash::kKilled);
  EXPECT_FALSE(Insert(10).ok());
  Reopen();
  EXPECT_EQ(Rows(), 10);
}

TEST_F(SimulatedDiskTest, FaultsAreErrorsThatPass) {
  OpenLogged("FULL");
  ASSERT_TRUE(database_->Execute("CREATE TABLE numbers (n INTEGER) STRICT").ok());
  disk_.faults.full = true;
  EXPECT_TRUE(absl::IsResourceExhausted(Insert(1))) << Insert(1);
  disk_.faults = {.write_error = 1};
  EXPECT_TRUE(absl::IsUnavailable(Insert(2))) << Insert(2);
  disk_.faults = {.sync_error = 1};
  EXPECT_TRUE(absl::IsUnavailable(Insert(3))) << Insert(3);
  disk_.faults = {};
  EXPECT_TRUE(Insert(4).ok());
  EXPECT_EQ(Rows(), 1);
}

TEST_F(SimulatedDiskTest, AnotherConnectionReadsWhileOneWrites) {
  OpenLogged("FULL");
  ASSERT_TRUE(database_->Execute("CREATE TABLE numbers (n INTEGER) STRICT").ok());
  ASSERT_TRUE(database_->Execute("BEGIN IMMEDIATE").ok());
  ASSERT_TRUE(Insert(1).ok());
  auto reader = Database::Open(kPath, Database::Mode::kReadOnly);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->Number("SELECT count(*) FROM numbers").value_or(-1), 0);
  ASSERT_TRUE(database_->Execute("COMMIT").ok());
  EXPECT_EQ((*reader)->Number("SELECT count(*) FROM numbers").value_or(-1), 1);
}

}  // namespace
}  // namespace heterosis
