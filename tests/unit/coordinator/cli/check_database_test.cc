// SPDX-License-Identifier: Apache-2.0
// Tests of `coordinator check --db`.
#include "coordinator/cli/check_database.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/cli/fixture.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using CheckDatabaseTest = CommandTest;

TEST_F(CheckDatabaseTest, ASoundDatabaseIsSaidToBeSoundWhileItIsInUse) {
  const auto text = CheckDatabase(path_);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, AllOf(HasSubstr(path_ + " is sound"), HasSubstr("rows in 20 tables")));
}

TEST_F(CheckDatabaseTest, EveryDamagedRowIsListedByTableAndKeyWithTheRemedy) {
  store_.reset();
  // Another program's write is what a bit flip is: a row whose checksum does not fit.
  auto database = Database::Open(path_, Database::Mode::kReadWriteCreate).value();
  ASSERT_TRUE(database
                  ->Execute("UPDATE results SET text = 'other' WHERE trial = 4; UPDATE genomes SET genes = '[1,1]' "
                            "WHERE genome = 5")
                  .ok());
  const absl::Status status = CheckDatabase(path_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(path_ + ": damaged"), HasSubstr("table results, row trial 4, sample 1"),
                    HasSubstr("table results, row trial 4, sample 3"), HasSubstr("table genomes, row genome 5"),
                    HasSubstr("restore a backup")));
}

TEST_F(CheckDatabaseTest, AMissingFileIsNamed) {
  EXPECT_EQ(CheckDatabase(folder_ / "none.db").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
