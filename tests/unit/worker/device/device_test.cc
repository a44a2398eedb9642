// SPDX-License-Identifier: Apache-2.0
// Devices and memory: threads, limits of the control group, host buffers, and GPUs that are not there.
#include "worker/device/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "tests/support/shared.h"
#include "worker/device/host_buffer.h"
#include "worker/device/memory.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

TEST(Device, HasAName) {
  EXPECT_EQ(Name(OpenCpu(1)), "cpu");
  EXPECT_EQ(Name({Device::Kind::kCuda, 1, 1}), "cuda:1");
}

TEST(Device, CpuHasTheThreadsAskedForOrThoseItMayUse) {
  EXPECT_EQ(OpenCpu(3).threads, 3);
  EXPECT_GE(OpenCpu(0).threads, 1);
}

TEST(Device, CpuTellsItsMemory) {
  const auto bytes = AvailableMemoryBytes(OpenCpu(1));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_GT(*bytes, size_t{1} << 20);
}

// On a machine with GPUs, one beyond the last; on one without, the first: either way an error with the remedy.
TEST(Device, MissingGpuIsAnErrorThatSaysWhatToDo) {
  const auto device = OpenCuda(1000, 1);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(device.status().message()), HasSubstr("--cpu"));
  EXPECT_FALSE(OpenCuda(-1, 1).ok());
}

class HostMemoryTest : public testing::Test {
 protected:
  void Write(const char* name, const char* text) { std::ofstream(folder_ / name) << text; }
  absl::StatusOr<size_t> Available() { return AvailableHostBytes(folder_ / "meminfo", folder_.path()); }

  TemporaryFolder folder_;
};

TEST_F(HostMemoryTest, IsWhatTheKernelCallsAvailable) {
  Write("meminfo", "MemTotal:       2000 kB\nMemFree:  10 kB\nMemAvailable:    1000 kB\nHugePages_Total:       0\n");
  EXPECT_EQ(*Available(), 1000u * 1024);
}

TEST_F(HostMemoryTest, IsLessInAControlGroupThatLeavesLess) {
  Write("meminfo", "MemAvailable:    1000 kB\n");
  Write("memory.max", "500000\n");
  Write("memory.current", "100000\n");
  EXPECT_EQ(*Available(), 400000u);
  Write("memory.current", "600000\n");
  EXPECT_EQ(*Available(), 0u);
  Write("memory.max", "max\n");
  EXPECT_EQ(*Available(), 1000u * 1024);
}

TEST_F(HostMemoryTest, UnknownIsAnError) {
  EXPECT_FALSE(Available().ok());
  Write("meminfo", "MemTotal: 5 kB\n");
  EXPECT_THAT(std::string(Available().status().message()), HasSubstr("MemAvailable"));
}

TEST(HostBuffer, IsZeroedAlignedAndWritable) {
  for (const auto pages : {HostBuffer::Pages::kOrdinary, HostBuffer::Pages::kHuge}) {
    const auto buffer = HostBuffer::Allocate(5'000'001, pages);
    ASSERT_TRUE(buffer.ok()) << buffer.status();
    EXPECT_EQ(buffer->bytes(), 5'000'001u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 4096, 0u);
    EXPECT_TRUE(
        std::all_of(buffer->data(), buffer->data() + buffer->bytes(), [](std::byte b) { return b == std::byte{0}; }));
    buffer->data()[5'000'000] = std::byte{1};
  }
}

TEST(HostBuffer, MovesItsMemory) {
  auto first = HostBuffer::Allocate(100, HostBuffer::Pages::kOrdinary);
  ASSERT_TRUE(first.ok());
  std::byte* data = first->data();
  HostBuffer second = *std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(first->data(), nullptr);
  HostBuffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.bytes(), 100u);
}

TEST(HostBuffer, ImpossibleSizeIsAnErrorAndNothingIsEmpty) {
  const auto huge = HostBuffer::Allocate(size_t{1} << 60, HostBuffer::Pages::kHuge);
  EXPECT_EQ(huge.status().code(), absl::StatusCode::kResourceExhausted);
  const auto none = HostBuffer::Allocate(0, HostBuffer::Pages::kHuge);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->bytes(), 0u);
}

}  // namespace
}  // namespace heterosis
