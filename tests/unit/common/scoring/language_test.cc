// SPDX-License-Identifier: Apache-2.0
// The language gate with the real lid.176.ftz, and with files that are none.
#include "common/scoring/language.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/file.h"
#include "common/base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::string_view kMixed = "Roger started with 5 balls.5個のボール、答えは11です";

std::string ModelPath() {
  return DepsPath("lid.176.ftz");
}

class LanguageGateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<LanguageGate>> gate = LanguageGate::Load(ModelPath());
    ASSERT_TRUE(gate.ok()) << gate.status();
    gate_ = std::move(*gate).release();
  }
  static void TearDownTestSuite() {
    delete gate_;
    gate_ = nullptr;
  }
  static double Japanese(std::string_view text) { return gate_->Probability(text, "ja"); }

  static const LanguageGate* gate_;
};

const LanguageGate* LanguageGateTest::gate_ = nullptr;

// Expected values: fastText's Python package 0.9.2 with the same model. A full stop more changes much.
TEST_F(LanguageGateTest, ProbabilitiesAreThoseOfTheReference) {
  EXPECT_NEAR(Japanese(""), 0.009669508785009384, 1e-6);
  EXPECT_NEAR(Japanese("12345"), 0.009669508785009384, 1e-6);
  EXPECT_NEAR(Japanese(kMixed), 0.7534386515617371, 1e-6);
  EXPECT_NEAR(Japanese(std::string(kMixed) + "。"), 0.919921875, 1e-6);
  EXPECT_NEAR(Japanese("Roger started with 5 balls.5個のボール、答えは11"), 0.1242155134677887, 1e-6);
}

TEST_F(LanguageGateTest, ProbabilitiesOfRealAnswersAreThoseOfTheReference) {
  const std::string path = SharedPath("data/samples/gpt3.result.mgsm.json");
  if (path.empty()) GTEST_SKIP() << kNoShared;
  const absl::StatusOr<Json> answers = ReadJsonFile(path);
  ASSERT_TRUE(answers.ok()) << answers.status();
  const absl::StatusOr<Json> expected = ReadJsonFile("tests/testdata/scoring/japanese_probabilities.json");
  ASSERT_TRUE(expected.ok()) << expected.status();
  const Json& details = answers->at("results").at("mgsm-1.0-0.0").at("details");
  const Json& probabilities = expected->at("probabilities");
  ASSERT_EQ(details.size(), probabilities.size());
  for (size_t i = 0; i < details.size(); ++i) {
    const double probability = std::min(probabilities[i].get<double>(), 1.0);
    EXPECT_NEAR(Japanese(details[i].at("completion").get<std::string>()), probability, 1e-6) << i;
  }
}

TEST_F(LanguageGateTest, TellsLanguagesApart) {
  EXPECT_GT(Japanese("最初に5個のりんごがあり、答えは11です。"), 0.9);
  EXPECT_LT(Japanese("He had five apples at first and the answer is eleven."), 0.1);
  EXPECT_GT(gate_->Probability("He had five apples at first and the answer is eleven.", "en"), 0.9);
  EXPECT_GT(gate_->Probability("Am Anfang hatte er fünf Äpfel, jetzt sind es elf.", "de"), 0.9);
}

TEST_F(LanguageGateTest, CaseIsKept) {
  EXPECT_NE(gate_->Probability("THE ANSWER IS ELEVEN", "en"), gate_->Probability("the answer is eleven", "en"));
}

// fastText alone would read the first line only.
TEST_F(LanguageGateTest, NewlinesAreRemovedAndTheWholeTextCounts) {
  const std::string_view first = "Roger started with 5 balls.";
  const std::string text = std::string(first) + "\n5個のボール、\n\n答えは11です\n";
  EXPECT_EQ(Japanese(text), Japanese(kMixed));
  EXPECT_LT(Japanese(first), 0.5);
}

TEST_F(LanguageGateTest, ProbabilitiesOfAllLanguagesSumToOne) {
  double sum = 0;
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'a'; b <= 'z'; ++b) {
      sum += gate_->Probability(kMixed, std::string{a, b});
      for (char c = 'a'; c <= 'z'; ++c) {
        const std::string code{a, b, c};
        if (gate_->Knows(code)) sum += gate_->Probability(kMixed, code);
      }
    }
  }
  EXPECT_NEAR(sum, 1, 0.01);
}

TEST_F(LanguageGateTest, KnowsItsLanguagesOnly) {
  for (const std::string_view known : {"ja", "en", "zh", "sw", "te", "arz"}) EXPECT_TRUE(gate_->Knows(known)) << known;
  for (const std::string_view unknown : {"", "jp", "japanese", "JA", "__label__ja", "the", "ja ", "</s>"}) {
    EXPECT_FALSE(gate_->Knows(unknown)) << unknown;
    EXPECT_EQ(gate_->Probability(kMixed, unknown), 0) << unknown;
  }
}

TEST_F(LanguageGateTest, AnyBytesGiveAProbability) {
  const std::string long_text(1 << 20, 'x');
  for (const std::string_view text :
       {std::string_view("\xFF\xFE\xC0"), std::string_view("a\0b", 3), std::string_view("__label__ja"),
        std::string_view("</s>"), std::string_view("   \t \r"), std::string_view("\n\n"),
        std::string_view(long_text)}) {
    const double probability = Japanese(text);
    EXPECT_GE(probability, 0) << text.substr(0, 20);
    EXPECT_LE(probability, 1) << text.substr(0, 20);
  }
}

TEST_F(LanguageGateTest, ThreadsShareOneGate) {
  const double expected = Japanese(kMixed);
  std::vector<int> agreeing(4);
  {
    std::vector<std::jthread> threads;
    for (int& count : agreeing) {
      threads.emplace_back([&count, expected] {
        for (int i = 0; i < 100; ++i) count += Japanese(kMixed) == expected;
      });
    }
  }
  EXPECT_THAT(agreeing, testing::Each(100));
}

TEST(LanguageGateFile, MissingFileNamesTheRemedy) {
  const absl::Status status = LanguageGate::Load("/no/such/lid.176.ftz").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("/no/such/lid.176.ftz"), HasSubstr("deploy/deps/install")));
}

TEST(LanguageGateFile, FileOfAnotherKindIsRefused) {
  const TemporaryFolder folder;
  for (const std::string& content : {std::string(), std::string("short"), std::string(4096, 'x')}) {
    ASSERT_TRUE(WriteFileAtomic(folder / "lid.ftz", content).ok());
    const absl::Status status = LanguageGate::Load(folder / "lid.ftz").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(folder / "lid.ftz"));
  }
}

class BrokenModel : public testing::TestWithParam<size_t> {};

// A download that broke off: fastText's own loader would read on for ever or give garbage.
TEST_P(BrokenModel, CutFileIsRefused) {
  const absl::StatusOr<std::string> whole = ReadFile(ModelPath());
  ASSERT_TRUE(whole.ok()) << whole.status();
  ASSERT_LT(GetParam(), whole->size());
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "lid.ftz", whole->substr(0, GetParam())).ok());
  EXPECT_EQ(LanguageGate::Load(folder / "lid.ftz").status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Sizes, BrokenModel, testing::Values(6, 60, 100, 1000, 100'000, 500'000, 900'000));

}  // namespace
}  // namespace heterosis
