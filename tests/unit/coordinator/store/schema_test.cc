// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/schema: versions, migrations, the refusal of files that are not ours, and the guarantees
// of the tables.
#include "coordinator/store/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "common/base/file.h"
#include "coordinator/store/store.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SchemaTest : public ::testing::Test {
 protected:
  std::unique_ptr<Database> OpenDatabase() {
    auto database = Database::Open(path_, Database::Mode::kReadWriteCreate);
    EXPECT_TRUE(database.ok()) << database.status();
    return std::move(*database);
  }
  static int64_t Number(Database& database, std::string_view sql) {
    const auto number = database.Number(sql);
    EXPECT_TRUE(number.ok()) << number.status();
    return number.value_or(-1);
  }
  absl::Status OpenStore() { return Store::Open({.path = path_}).status(); }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "run.db";
};

TEST_F(SchemaTest, ANewFileGetsOurMarkAndTheNewestVersion) {
  ASSERT_TRUE(OpenStore().ok());
  const auto database = OpenDatabase();
  EXPECT_EQ(Number(*database, "PRAGMA application_id"), kApplicationId);
  EXPECT_EQ(Number(*database, "PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
}

TEST_F(SchemaTest, OpeningAgainChangesNothing) {
  ASSERT_TRUE(OpenStore().ok());
  const std::string before = ReadFile(path_).value_or("");
  ASSERT_TRUE(OpenStore().ok());
  EXPECT_EQ(ReadFile(path_).value_or("gone"), before);
}

TEST_F(SchemaTest, EveryTableIsStrict) {
  const auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, Migrations()).ok());
  EXPECT_GT(Number(*database, "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict = 1"), 10);
  EXPECT_EQ(Number(*database,
                   "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND strict = 0 AND "
                   "name NOT LIKE 'sqlite_%'"),
            0);
  EXPECT_FALSE(database->Execute("INSERT INTO starts VALUES (1, 'yesterday')").ok());
}

TEST_F(SchemaTest, ForeignKeysAreEnforced) {
  const auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, Migrations()).ok());
  EXPECT_EQ(Number(*database, "PRAGMA foreign_keys"), 1);
  const absl::Status status = database->Execute("INSERT INTO shards (trial, shard, state) VALUES (77, 0, 'open')");
  EXPECT_THAT(std::string(status.message()), HasSubstr("FOREIGN KEY"));
}

TEST_F(SchemaTest, ATrialIsDoneExactlyWhenItHasAScore) {
  const auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, Migrations()).ok());
  ASSERT_TRUE(database->Execute("PRAGMA foreign_keys = OFF").ok());
  const std::string insert =
      "INSERT INTO trials (trial, stage, genome, purpose, split, sample_set, shards, state, "
      "total, created_ms, score) VALUES ";
  EXPECT_TRUE(database->Execute(insert + "(1, 0, 1, 'search', 'search', 'x', 1, 'done', 1, 0, 0.5)").ok());
  EXPECT_FALSE(database->Execute(insert + "(2, 0, 1, 'search', 'search', 'x', 1, 'done', 1, 0, NULL)").ok());
  EXPECT_FALSE(database->Execute(insert + "(3, 0, 1, 'search', 'search', 'x', 1, 'failed', 1, 0, 0.5)").ok());
}

TEST_F(SchemaTest, ALaterStepIsRunOnAnOlderDatabaseAndKeepsItsRows) {
  const auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, Migrations()).ok());
  ASSERT_TRUE(database->Execute("INSERT INTO starts (epoch, time_ms) VALUES (1, 5)").ok());
  const std::array steps = {Migrations()[0], "ALTER TABLE starts ADD COLUMN host TEXT NOT NULL DEFAULT 'unknown'"};
  ASSERT_TRUE(Migrate(*database, steps).ok());
  EXPECT_EQ(Number(*database, "PRAGMA user_version"), 2);
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM starts WHERE time_ms = 5 AND host = 'unknown'"), 1);
  EXPECT_TRUE(Migrate(*database, steps).ok());  // nothing is run twice
}

TEST_F(SchemaTest, AStepThatFailsLeavesTheVersionBefore) {
  const auto database = OpenDatabase();
  ASSERT_TRUE(Migrate(*database, Migrations()).ok());
  const std::array steps = {Migrations()[0], "CREATE TABLE half (a INTEGER) STRICT; CREATE TABLE half (a INTEGER)"};
  EXPECT_FALSE(Migrate(*database, steps).ok());
  EXPECT_EQ(Number(*database, "PRAGMA user_version"), 1);
  EXPECT_EQ(Number(*database, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
}

TEST_F(SchemaTest, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
  ASSERT_TRUE(OpenDatabase()->Execute("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)").ok());
  const std::string before = ReadFile(path_).value_or("");
  const absl::Status status = OpenStore();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(path_), HasSubstr("not a Heterosis database"), HasSubstr("--db")));
  EXPECT_EQ(ReadFile(path_).value_or(""), before);
}

TEST_F(SchemaTest, AnEmptyDatabaseOfAnotherProgramIsRefused) {
  ASSERT_TRUE(OpenDatabase()->Execute("PRAGMA application_id = 1234; PRAGMA user_version = 1").ok());
  EXPECT_EQ(OpenStore().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SchemaTest, ADatabaseOfANewerVersionIsRefusedAndLeftAlone) {
  ASSERT_TRUE(OpenStore().ok());
  ASSERT_TRUE(OpenDatabase()->Execute("PRAGMA user_version = 2").ok());
  const absl::Status status = OpenStore();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("newer Heterosis"), HasSubstr("schema 2")));
  EXPECT_EQ(Number(*OpenDatabase(), "PRAGMA user_version"), 2);
}

TEST_F(SchemaTest, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const std::string text(5000, 'x');
  ASSERT_TRUE(WriteFileAtomic(path_, text).ok());
  const absl::Status status = OpenStore();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path_), HasSubstr("not a database"), HasSubstr("--db")));
  EXPECT_EQ(ReadFile(path_).value_or(""), text);
}

TEST_F(SchemaTest, ADamagedPageIsFoundWhenADatabaseIsOpened) {
  ASSERT_TRUE(OpenStore().ok());
  std::string bytes = ReadFile(path_).value_or("");
  const int64_t page = Number(*OpenDatabase(), "SELECT rootpage FROM sqlite_schema WHERE name = 'trials_by_stage'");
  ASSERT_GE(bytes.size(), static_cast<size_t>(page) * 4096);
  bytes.replace(static_cast<size_t>(page - 1) * 4096, 64, 64, '\xA5');
  ASSERT_TRUE(WriteFileAtomic(path_, bytes).ok());
  const absl::Status status = OpenStore();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("damaged"), HasSubstr("restore a backup")));
}

TEST_F(SchemaTest, ATruncatedDatabaseIsRefused) {
  ASSERT_TRUE(OpenStore().ok());
  const std::string bytes = ReadFile(path_).value_or("");
  ASSERT_TRUE(WriteFileAtomic(path_, bytes.substr(0, bytes.size() / 2 / 4096 * 4096)).ok());
  EXPECT_EQ(OpenStore().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace heterosis
