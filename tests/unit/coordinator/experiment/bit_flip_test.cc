// SPDX-License-Identifier: Apache-2.0
// Bits that flip in the database of a half-finished run, in every page: each is found when the run is to go on, or it
// was harmless (the database says the same as before). Never a crash, never a search that goes on with something else.
#include <gmock/gmock.h>

#include <cstdlib>
#include <set>
#include <utility>
#include <vector>

#include "common/base/file.h"
#include "common/base/random.h"
#include "common/base/status.h"
#include "coordinator/store/reader.h"
#include "tests/support/repetitions.h"
#include "tests/unit/coordinator/experiment/simulation.h"

namespace heterosis {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kFileHeaderBytes = 100;
constexpr size_t kPageHeaderBytes = 12;

class BitFlipTest : public ExperimentTest {
 protected:
  void SetUp() override {
    SimulatedRun run(folder_, "run.db");
    ASSERT_TRUE(run.Start().ok());
    int left = 40;  // shards, into the second generation
    (void)run.RunToEnd(1, 0, [&](const ShardWork& work) {
      ShardResult result = Evaluate(work);
      if (left-- == 0) result.samples.clear();  // refused: the run is cut off here
      return result;
    });
    run.Kill();
    ASSERT_FALSE(FileExists(path_ + "-wal")) << "not all is in the file";
    const auto read = ReadFile(path_);
    ASSERT_TRUE(read.ok());
    bytes_ = *read;
    expected_ = run.Contents();
    ASSERT_GT(bytes_.size(), 20 * kPageBytes);
  }

  // All bits of what structures hang on, and some of each page; of these, as many as there is time for.
  std::vector<size_t> BitsToFlip() const {
    std::set<size_t> bits;
    for (size_t bit = 0; bit < kFileHeaderBytes * 8; ++bit) bits.insert(bit);
    const char* wanted = std::getenv("HETEROSIS_BIT_FLIPS_A_PAGE");  // for longer tries
    const int random_bits = wanted == nullptr ? 24 : std::atoi(wanted);
    RandomStream dice(RandomKey({bytes_.size(), 5}));
    for (size_t page = 0; page < bytes_.size(); page += kPageBytes) {
      const size_t header = page == 0 ? kFileHeaderBytes : page;
      for (size_t bit = 0; bit < kPageHeaderBytes * 8; bit += 3) bits.insert(header * 8 + bit + dice.NextBelow(3));
      for (int i = 0; i < random_bits; ++i) bits.insert(page * 8 + dice.NextBelow(kPageBytes * 8));
    }
    std::vector<size_t> chosen(bits.begin(), bits.end());
    const auto wanted_bits = static_cast<size_t>(Repetitions(static_cast<int>(chosen.size()), 200));
    for (size_t i = 0; i < wanted_bits; ++i) std::swap(chosen[i], chosen[i + dice.NextBelow(chosen.size() - i)]);
    chosen.resize(wanted_bits);
    return chosen;
  }

  // Every command that reads, on whatever is there: errors are fine, an end of this process is not.
  void ReadEverything() const {
    const auto reader = StoreReader::OpenUnchecked(path_);
    if (!reader.ok()) return;
    (void)(*reader)->Experiment();
    (void)(*reader)->Parents();
    (void)(*reader)->Best(10);
    (void)(*reader)->Generations();
    (void)(*reader)->Workers();
    (void)(*reader)->Trial(3);
  }

  const std::string path_ = folder_ / "run.db";
  std::string bytes_, expected_;
};

TEST_F(BitFlipTest, AFlippedBitIsFoundOrHarmless) {
  int found = 0, harmless = 0;
  for (const size_t bit : BitsToFlip()) {
    std::string damaged = bytes_;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    for (const char* beside : {"-wal", "-shm"}) std::remove((path_ + beside).c_str());
    ASSERT_TRUE(WriteFileAtomic(path_, damaged).ok());
    ReadEverything();
    const auto store = Store::Open({.path = path_});
    if (!store.ok()) {
      const std::string message = Message(store.status());
      EXPECT_THAT(message, ::testing::HasSubstr(path_));
      EXPECT_NE(store.status().code(), absl::StatusCode::kInternal) << message;
      ++found;
      continue;
    }
    ASSERT_EQ(DatabaseContents(path_).value_or("unreadable"), expected_)
        << "bit " << bit % 8 << " of byte " << bit / 8 << ": not found, and not harmless";
    ++harmless;
  }
  EXPECT_GT(found, Repetitions(500, 25));
  EXPECT_GT(harmless, Repetitions(500, 25));  // free space in pages, for the most part
  RecordProperty("found", std::to_string(found));
  RecordProperty("harmless", std::to_string(harmless));
}

}  // namespace
}  // namespace heterosis
