// SPDX-License-Identifier: Apache-2.0
// Reading and writing safetensors files: whole ones, broken ones and hostile ones.
#include "worker/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/shared.h"
#include "tests/unit/worker/checkpoint/fixture.h"

namespace heterosis {
namespace {

using testing::HasSubstr;

absl::StatusOr<std::vector<SafetensorsEntry>> Parse(const std::string& text) {
  return ParseSafetensors(std::as_bytes(std::span<const char>(text)), "m.safetensors");
}

// Expects a refusal that names the file and says `what`.
void ExpectRefused(const std::string& text, const std::string& what) {
  const auto entries = Parse(text);
  ASSERT_FALSE(entries.ok()) << "expected: " << what;
  EXPECT_EQ(entries.status().code(), absl::StatusCode::kInvalidArgument) << entries.status();
  EXPECT_THAT(std::string(entries.status().message()), HasSubstr("m.safetensors"));
  EXPECT_THAT(std::string(entries.status().message()), HasSubstr(what));
}

std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, EntriesComeInTheOrderOfTheirBytes) {
  const std::string text = SafetensorsText(R"({"__metadata__":{"format":"pt"},"b":)" + Entry("F32", "[2]", "[4,12]") +
                                               R"(,"a":)" + Entry("BF16", "[2,1]", "[0,4]") + "}  ",
                                           12);
  const auto entries = Parse(text);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[0].dtype, "BF16");
  EXPECT_EQ((*entries)[0].shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ((*entries)[0].bytes.size(), 4);
  EXPECT_EQ((*entries)[1].name, "b");
  EXPECT_EQ((*entries)[1].bytes.front(), std::byte{4});
}

TEST(Safetensors, EmptyTensorsAndScalarsAreRead) {
  const auto entries = Parse(SafetensorsText(
      R"({"none":)" + Entry("F32", "[0,7]", "[0,0]") + R"(,"one":)" + Entry("I64", "[]", "[0,8]") + "}", 8));
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_EQ(entries->size(), 2);
}

TEST(Safetensors, ShortFilesAreRefused) {
  ExpectRefused("", "too short");
  ExpectRefused("1234567", "too short");
  ExpectRefused(std::string(8, '\0'), "does not start with '{'");
}

TEST(Safetensors, HeaderBeyondTheFileIsRefused) {
  std::string text = SafetensorsText("{}", 0);
  text[0] = 100;
  ExpectRefused(text, "pass the end of the file");
}

TEST(Safetensors, HugeHeaderLengthIsRefusedBeforeItIsRead) {
  std::string text = SafetensorsText("{}", 0);
  for (int i = 0; i < 8; ++i) text[static_cast<size_t>(i)] = static_cast<char>(0xff);
  ExpectRefused(text, "above the format's 100 MB");
  const uint64_t above = 100'000'001;
  std::memcpy(text.data(), &above, sizeof(above));
  ExpectRefused(text, "above the format's 100 MB");
}

TEST(Safetensors, HeaderThatIsNoObjectIsRefused) {
  ExpectRefused(SafetensorsText("[1]", 0), "does not start with '{'");
  ExpectRefused(SafetensorsText(R"({"a":)", 0), "header");
  ExpectRefused(SafetensorsText(R"({"a":3})", 0), "a: ");
  ExpectRefused(SafetensorsText(R"({} x)", 0), "header");
  ExpectRefused(SafetensorsText("{\"a\xff\":1}", 0), "header");
}

TEST(Safetensors, DuplicateNamesAreRefused) {
  const std::string entry = Entry("F32", "[1]", "[0,4]");
  ExpectRefused(SafetensorsText(R"({"w":)" + entry + R"(,"w":)" + entry + "}", 4), "w");
}

TEST(Safetensors, DeepNestingIsRefused) {
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  ExpectRefused(SafetensorsText(R"({"a":)" + deep + "}", 0), "header");
}

TEST(Safetensors, OffsetsPastTheEndAreRefused) {
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[2]", "[0,8]") + "}", 4), "pass the end of the file");
  ExpectRefused(
      SafetensorsText(R"({"w":)" + Entry("U8", "[18446744073709551615]", "[0,18446744073709551615]") + "}", 4),
      "overflows");
}

TEST(Safetensors, OffsetsThatContradictTheShapeAreRefused) {
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[2]", "[0,4]") + "}", 4), "need 8 bytes");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[1]", "[4,0]") + "}", 4), "end before they begin");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[1]", "[0]") + "}", 4), "two numbers");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[1]", "[0,4,8]") + "}", 4), "two numbers");
}

TEST(Safetensors, NegativeAndFractionalNumbersAreRefused) {
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[-1]", "[0,4]") + "}", 4), "whole numbers");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[1.0]", "[0,4]") + "}", 4), "whole numbers");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[1]", "[-4,0]") + "}", 4), "whole numbers");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", R"(["1"])", "[0,4]") + "}", 4), "whole numbers");
}

TEST(Safetensors, SizesThatOverflowAreRefused) {
  // 2^32 * 2^32 elements wrap to 0 in 64 bits.
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("U8", "[4294967296,4294967296]", "[0,0]") + "}", 0), "overflows");
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F32", "[4611686018427387904]", "[0,0]") + "}", 0), "overflows");
}

TEST(Safetensors, GapsAndOverlapsAndRestsAreRefused) {
  const auto two = [](const std::string& second) {
    return R"({"a":)" + Entry("F32", "[1]", "[0,4]") + R"(,"b":)" + Entry("F32", "[1]", second) + "}";
  };
  ExpectRefused(SafetensorsText(two("[8,12]"), 12), "do not follow the tensor before it");
  ExpectRefused(SafetensorsText(two("[2,6]"), 6), "do not follow the tensor before it");
  ExpectRefused(SafetensorsText(two("[0,4]"), 4), "do not follow the tensor before it");
  ExpectRefused(SafetensorsText(two("[4,8]"), 9), "1 bytes after the last tensor");
}

TEST(Safetensors, UnknownTypesAndBadMetadataAreRefused) {
  ExpectRefused(SafetensorsText(R"({"w":)" + Entry("F99", "[1]", "[0,4]") + "}", 4), "unknown dtype \"F99\"");
  ExpectRefused(SafetensorsText(R"({"w":{"dtype":3,"shape":[1],"data_offsets":[0,4]}})", 4), "dtype");
  ExpectRefused(SafetensorsText(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4), "\"shape\"");
  ExpectRefused(SafetensorsText(R"({"__metadata__":{"a":1}})", 0), "__metadata__");
  ExpectRefused(SafetensorsText(R"({"__metadata__":[]})", 0), "__metadata__");
}

TEST(Safetensors, WeightsOfOtherTypesAreRefusedByName) {
  const std::string text = SafetensorsText(R"({"w":)" + Entry("I8", "[4]", "[0,4]") + "}", 4);
  const auto entries = Parse(text);
  ASSERT_TRUE(entries.ok()) << entries.status();
  const auto weight = WeightOf(entries->front());
  EXPECT_EQ(weight.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(weight.status().message()), HasSubstr("w: dtype I8"));
}

TEST(Safetensors, MisalignedWeightsAreRefused) {
  const std::string text = "x" + SafetensorsText(R"({"w":)" + Entry("F32", "[1]", "[0,4]") + "}    ", 4);
  const auto bytes = std::as_bytes(std::span<const char>(text)).subspan(1);
  const auto entries = ParseSafetensors(bytes, "m");
  ASSERT_TRUE(entries.ok()) << entries.status();
  SafetensorsEntry odd = entries->front();
  if (reinterpret_cast<uintptr_t>(odd.bytes.data()) % 4 == 0) odd.bytes = {odd.bytes.data() - 1, 4};
  EXPECT_THAT(std::string(WeightOf(odd).status().message()), HasSubstr("save the model again"));
}

TEST(Safetensors, WrittenFileIsReadBackAlignedAndComplete) {
  const TemporaryFolder folder;
  std::vector<TensorSpec> specs{{"odd", {3}}, {"matrix", {2, 5}}, {"scalar", {}}};
  TensorSet halves(specs, DType::kBFloat16);
  TensorSet wide({{"wide", {7}}}, DType::kFloat32);
  std::vector<ConstTensor> all = halves.tensors();
  all.push_back(wide.tensors().front());
  all[1].dtype = DType::kFloat16;
  const std::string path = folder / "m.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, all).ok());
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto entries = ParseSafetensors(file->bytes(), path);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), all.size());
  for (const ConstTensor& tensor : all) {
    const auto found = std::find_if(entries->begin(), entries->end(),
                                    [&](const SafetensorsEntry& entry) { return entry.name == tensor.name; });
    ASSERT_NE(found, entries->end()) << tensor.name;
    const auto weight = WeightOf(*found);
    ASSERT_TRUE(weight.ok()) << weight.status();
    ExpectSameBytes(*weight, tensor);
  }
}

TEST(Safetensors, UnwritablePathIsNamed) {
  const absl::Status status = WriteSafetensors("/nonexistent/m.safetensors", {});
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/m.safetensors"));
}

// Every cut and every changed byte of a good file is read or refused, and never read beyond its end (asan).
TEST(Safetensors, DamagedFilesNeverCrash) {
  const std::string good = SafetensorsText(R"({"__metadata__":{"format":"pt"},"b":)" + Entry("F32", "[2]", "[4,12]") +
                                               R"(,"a":)" + Entry("BF16", "[2,1]", "[0,4]") + "}",
                                           12);
  ASSERT_TRUE(Parse(good).ok());
  for (size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(Parse(std::string(good.data(), length)).ok()) << length;
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '"', '9', '}', '\xff', ','}) {
      std::string bad = good;
      bad[at] = value;
      const auto entries = Parse(bad);
      if (!entries.ok()) continue;
      for (const SafetensorsEntry& entry : *entries) {
        ASSERT_GE(reinterpret_cast<const char*>(entry.bytes.data()), bad.data());
        ASSERT_LE(reinterpret_cast<const char*>(entry.bytes.data() + entry.bytes.size()), bad.data() + bad.size());
      }
    }
  }
}

}  // namespace
}  // namespace heterosis
