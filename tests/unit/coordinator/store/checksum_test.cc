// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/store/checksum: every row has a checksum that fits, no change of it goes unnoticed, and damage
// is never signed anew.
#include "coordinator/store/checksum.h"

#include <gmock/gmock.h>

#include <bit>
#include <set>

#include "common/base/file.h"
#include "tests/unit/coordinator/store/fixture.h"

namespace heterosis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

int64_t OfText(std::string_view text) {
  RowChecksum checksum;
  checksum.AddBytes(text, /*is_text=*/true);
  return checksum.value();
}

TEST(RowChecksumTest, EverySingleBitFlipOfATextChangesIt) {
  std::string text = "twelve and a half bytes, and some more of them";
  const int64_t before = OfText(text);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(OfText(text), before) << "bit " << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST(RowChecksumTest, EverySingleBitFlipOfANumberChangesIt) {
  const auto of_int = [](int64_t value) {
    RowChecksum checksum;
    checksum.AddInt(value);
    return checksum.value();
  };
  const auto of_real = [](double value) {
    RowChecksum checksum;
    checksum.AddReal(value);
    return checksum.value();
  };
  for (int bit = 0; bit < 64; ++bit) {
    EXPECT_NE(of_int(1234), of_int(1234 ^ static_cast<int64_t>(uint64_t{1} << bit)));
    const double flipped = std::bit_cast<double>(std::bit_cast<uint64_t>(0.625) ^ (uint64_t{1} << bit));
    EXPECT_NE(of_real(0.625), of_real(flipped)) << flipped;
  }
  EXPECT_EQ(of_real(0.0), of_real(-0.0));
  EXPECT_EQ(of_real(3.0), of_int(3));  // as SQLite may give it back
}

TEST(RowChecksumTest, WhereAValueEndsCounts) {
  const auto of = [](std::string_view first, std::string_view second) {
    RowChecksum checksum;
    checksum.AddBytes(first, true);
    checksum.AddBytes(second, true);
    return checksum.value();
  };
  EXPECT_NE(of("ab", "c"), of("a", "bc"));
  EXPECT_NE(of("", "a"), of("a", ""));
  EXPECT_NE(OfText(std::string(8, '\0')), OfText(std::string(16, '\0')));
  RowChecksum null;
  null.AddNull();
  EXPECT_NE(null.value(), OfText(""));
}

class ChecksumTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    RunParents();
    ASSERT_TRUE(Stage(FirstGeneration()).ok());
    ASSERT_TRUE(store_->CommitShard(Answer(4, 0, 1, true), Now()).ok());
    ASSERT_TRUE(store_->CommitFailure(Failure(4, 1, FailureClass::kCrash, "x"), Now()).ok());
    ASSERT_TRUE(store_->CommitAudit({.trial = 4, .shard = 0, .trust = {{"gpu-box", 1, false, ""}}}, Now()).ok());
    CanaryRecord canary{.canary = 1, .name = "gpu-box", .outcome = CanaryOutcome::kGood, .reference = 1};
    canary.result.answers = {{{{7, 1.5F}, {8, -0.1F}}}};
    ASSERT_TRUE(store_->CommitCanary({canary, "session-1", 0}, Now()).ok());
    EXPECT_EQ(store_->Canaries()->at(0).result, canary.result);
  }

  // A connection that knows nothing of checksums, as sqlite3's is.
  std::unique_ptr<Database> Stranger() { return Database::Open(path_, Database::Mode::kReadWriteCreate).value(); }
};

TEST_F(ChecksumTest, EveryTableHasChecksumsAndWhatTheStoreWritesFits) {
  store_.reset();
  const auto database = Stranger();
  ASSERT_TRUE(AddIntactViews(*database).ok());
  const std::vector<ChecksummedTable> tables = ChecksummedTables(*database).value();
  EXPECT_EQ(static_cast<int64_t>(tables.size()),
            database
                ->Number("SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND "
                         "name NOT LIKE 'sqlite_%'")
                .value());
  std::set<std::string> empty;
  for (const ChecksummedTable& table : tables) {
    const auto rows = database->Number("SELECT count(*) FROM intact_" + table.name);
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (rows.value_or(0) == 0) empty.insert(table.name);
  }
  // Those that only a worker which lost an audit fills; their triggers are made as the others' are.
  EXPECT_EQ(empty, (std::set<std::string>{"kept_results", "kept_shards", "rewinds"}));
}

// A change behind the store's back, and a read that a resume makes.
struct DamageCase {
  std::string table, change;
  std::function<absl::Status(Store&)> read;
};

class DamageTest : public ChecksumTest, public ::testing::WithParamInterface<DamageCase> {};

TEST_P(DamageTest, ADamagedRowIsAnErrorThatNamesItWhenItIsReadAndWhenTheDatabaseIsOpened) {
  ASSERT_TRUE(GetParam().read(*store_).ok());
  ASSERT_TRUE(Stranger()->Execute(GetParam().change).ok());
  const absl::Status read = GetParam().read(*store_);
  EXPECT_EQ(read.code(), absl::StatusCode::kDataLoss) << read;
  EXPECT_THAT(std::string(read.message()), AllOf(HasSubstr(path_ + ": damaged: table " + GetParam().table + ", row "),
                                                 HasSubstr("restore a backup")));
  store_.reset();
  const absl::Status opened = Store::Open({.path = path_}).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("table " + GetParam().table + ", row "));
}

INSTANTIATE_TEST_SUITE_P(
    Tables, DamageTest,
    ::testing::Values(
        DamageCase{"experiment", "UPDATE experiment SET seed = '8'",
                   [](Store& s) { return s.LoadExperiment().status(); }},
        DamageCase{"models", "UPDATE models SET digest = 'x'", [](Store& s) { return s.LoadExperiment().status(); }},
        DamageCase{"phases", "UPDATE phases SET population = 4", [](Store& s) { return s.LoadExperiment().status(); }},
        DamageCase{"problems", "UPDATE problems SET answer = '1'",
                   [](Store& s) { return s.LoadExperiment().status(); }},
        DamageCase{"stages", "UPDATE stages SET phase = 1", [](Store& s) { return s.LastStage().status(); }},
        DamageCase{"trials", "UPDATE trials SET correct = 3 WHERE trial = 4",
                   [](Store& s) { return s.Trials(1).status(); }},
        DamageCase{"sample_sets", "UPDATE sample_sets SET samples = '[1,2]'",
                   [](Store& s) { return s.Trials(1).status(); }},
        DamageCase{"genomes", "UPDATE genomes SET genes = '[1,2]'", [](Store& s) { return s.Genome(4).status(); }},
        DamageCase{"generations", "UPDATE generations SET snapshot = x'78'",
                   [](Store& s) { return s.Snapshot(0, 0).status(); }},
        DamageCase{"shards", "UPDATE shards SET attempt = 7", [](Store& s) { return s.UnfinishedTrials().status(); }},
        DamageCase{"failures", "UPDATE failures SET message = 'y'",
                   [](Store& s) { return s.UnfinishedTrials().status(); }}),
    [](const auto& test) { return test.param.table; });

TEST_F(ChecksumTest, DamageIsNotSignedAnewByAnUpdateOfTheRow) {
  ASSERT_TRUE(Stranger()->Execute("UPDATE trials SET total = 3 WHERE trial = 4").ok());
  const absl::Status status = store_->CommitShard(Answer(4, 1, 3, true), Now());  // changes the trial's state
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("table trials, row trial 4"));
  EXPECT_EQ(Stranger()->Number("SELECT count(*) FROM results WHERE trial = 4").value(), 1);
}

TEST_F(ChecksumTest, OneFlippedBitInAPayloadIsFound) {
  store_.reset();
  std::string bytes = ReadFile(path_).value();
  const size_t place = bytes.find("so the answer is 4");
  ASSERT_NE(place, std::string::npos);
  bytes[place + 3] ^= 0x01;
  ASSERT_TRUE(WriteFileAtomic(path_, bytes).ok());
  EXPECT_EQ(Stranger()->Number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'").value(), 0)
      << "SQLite finds it by itself";
  EXPECT_THAT(std::string(Store::Open({.path = path_}).status().message()), HasSubstr("table results, row trial "));
}

}  // namespace
}  // namespace heterosis
