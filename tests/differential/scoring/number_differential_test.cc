// SPDX-License-Identifier: Apache-2.0
// Paper mode against Python itself: the authors' expression on random texts and on the real answers, and every decimal
// digit of Unicode.
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <map>

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/scoring/characters.h"
#include "common/scoring/number.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

constexpr int kRandomTexts = 50'000;

class NumberDifferential : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    python_ = DepsPath("venv/bin/python");
    if (!FileExists(python_)) return;
    const TemporaryFolder folder;
    const std::string file = folder / "cases.json";
    const std::string command = python_ + " tests/differential/scoring/make_number_cases.py " +
                                std::to_string(kRandomTexts) + " " + SharedPath("data/samples/gpt3.result.mgsm.json") +
                                " > " + file;
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    absl::StatusOr<Json> reference = ReadJsonFile(file);
    ASSERT_TRUE(reference.ok()) << reference.status();
    reference_ = *std::move(reference);
  }

  void SetUp() override {
    if (!FileExists(python_)) GTEST_SKIP() << "no " << python_ << ": run deploy/deps/install";
  }

  static std::string python_;
  static Json reference_;
};

std::string NumberDifferential::python_;
Json NumberDifferential::reference_;

TEST_F(NumberDifferential, PaperModeReadsWhatPythonReadsBitForBit) {
  int with_number = 0;
  const Json& cases = reference_.at("cases");
  ASSERT_GE(cases.size(), static_cast<size_t>(kRandomTexts));
  for (const Json& c : cases) {
    const std::string text = c.at("text").get<std::string>();
    const std::optional<Number> number = ExtractNumber(text, NumberMode::kPaper);
    ASSERT_EQ(number.has_value(), !c.at("value").is_null()) << text;
    if (!number.has_value()) continue;
    ++with_number;
    const double expected = std::strtod(c.at("value").get<std::string>().c_str(), nullptr);  // reads Python's hex
    ASSERT_EQ(std::bit_cast<uint64_t>(number->value), std::bit_cast<uint64_t>(expected)) << text;
  }
  EXPECT_GT(with_number, kRandomTexts / 2);
}

TEST_F(NumberDifferential, DecimalDigitsAreThoseOfPython) {
  std::map<char32_t, int> digits;
  for (const Json& digit : reference_.at("digits")) digits[digit.at(0).get<uint32_t>()] = digit.at(1).get<int>();
  ASSERT_GE(digits.size(), 600u);
  const auto is_assigned = [](char32_t character) {
    for (const Json& range : reference_.at("unassigned")) {
      if (character >= range.at(0).get<uint32_t>() && character <= range.at(1).get<uint32_t>()) return false;
    }
    return true;
  };
  for (char32_t character = 0; character <= 0x10FFFF; ++character) {
    const auto expected = digits.find(character);
    const std::optional<int> value = DecimalDigitValue(character);
    if (expected != digits.end()) {
      EXPECT_EQ(value, expected->second) << std::hex << static_cast<uint32_t>(character);
    } else if (value.has_value()) {
      EXPECT_FALSE(is_assigned(character)) << std::hex << static_cast<uint32_t>(character);
    }
  }
}

}  // namespace
}  // namespace heterosis
