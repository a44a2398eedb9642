// SPDX-License-Identifier: Apache-2.0
// Tests the snapshot format: what was written is read back, and damage is found.
#include "coordinator/optimizer/snapshot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "common/base/digest.h"

namespace heterosis {
namespace {

std::string Example() {
  SnapshotWriter writer;
  writer.Uint64(7);
  writer.Text("text");
  writer.Doubles(std::vector{0.1, -0.0, std::numeric_limits<double>::denorm_min()});
  writer.Double(1e308);
  return std::move(writer).Seal();
}

// The bytes with a right checksum over whatever they say.
std::string Resealed(std::string bytes) {
  bytes.resize(bytes.size() - 64);
  return bytes + Sha256(bytes);
}

TEST(SnapshotTest, ReadsWhatWasWritten) {
  const std::string bytes = Example();
  absl::StatusOr<SnapshotReader> reader = SnapshotReader::Open(bytes);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->Uint64(), 7u);
  EXPECT_EQ(reader->Text(), "text");
  const std::vector<double> values = reader->Doubles();
  EXPECT_EQ(values, (std::vector{0.1, -0.0, std::numeric_limits<double>::denorm_min()}));
  EXPECT_TRUE(std::signbit(values[1]));
  EXPECT_FALSE(reader->Finish().ok()) << "a field is left";
  EXPECT_EQ(reader->Double(), 1e308);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST(SnapshotTest, EveryDamagedByteIsFound) {
  const std::string bytes = Example();
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(SnapshotReader::Open(damaged).status().code(), absl::StatusCode::kDataLoss) << i;
  }
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(SnapshotReader::Open(bytes.substr(0, size)).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(SnapshotTest, OtherVersionIsRefused) {
  std::string bytes = Example();
  bytes[7] = '9';
  const absl::Status status = SnapshotReader::Open(Resealed(bytes)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST(SnapshotTest, LengthPastTheEndIsAnErrorAndNotACrash) {
  for (const uint64_t length : {uint64_t{1}, uint64_t{1} << 61, UINT64_MAX}) {
    SnapshotWriter writer;
    writer.Uint64(length);
    const std::string bytes = std::move(writer).Seal();
    absl::StatusOr<SnapshotReader> doubles = SnapshotReader::Open(bytes);
    ASSERT_TRUE(doubles.ok());
    EXPECT_TRUE(doubles->Doubles().empty());
    EXPECT_EQ(doubles->Uint64(), 0u);
    EXPECT_EQ(doubles->Finish().code(), absl::StatusCode::kDataLoss);
    absl::StatusOr<SnapshotReader> text = SnapshotReader::Open(bytes);
    EXPECT_EQ(text->Text(), "");
    EXPECT_EQ(text->Finish().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace heterosis
