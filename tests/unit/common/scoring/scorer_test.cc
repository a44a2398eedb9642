// SPDX-License-Identifier: Apache-2.0
// Judging answers: number and language together, and the accuracy of 250 real answers in both modes.
#include "common/scoring/scorer.h"

#include <memory>

#include "common/base/json.h"
#include "common/dataset/decimal.h"
#include "common/scoring/fitness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

Task JapaneseTask(NumberMode mode) {
  Task task;
  task.number_mode = mode;
  task.language = "ja";
  return task;
}

class ScorerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<LanguageGate>> gate = LanguageGate::Load(DepsPath("lid.176.ftz"));
    ASSERT_TRUE(gate.ok()) << gate.status();
    gate_ = std::move(*gate).release();
  }
  static void TearDownTestSuite() {
    delete gate_;
    gate_ = nullptr;
  }

  Score Grade(const Task& task, std::string_view text, const std::string& answer) const {
    return Scorer(task, gate_).Grade(text, {"question", answer});
  }

  static const LanguageGate* gate_;
};

const LanguageGate* ScorerTest::gate_ = nullptr;

constexpr std::string_view kJapanese = "りんごは全部で11個あります。答えは11です。";
constexpr std::string_view kEnglish = "There are eleven apples in all, so the answer is 11.";

TEST_F(ScorerTest, RightNumberInTheRightLanguageIsCorrect) {
  const Score expected{.correct = true, .number_ok = true, .language_ok = true, .answer = "11"};
  EXPECT_EQ(Grade(JapaneseTask(NumberMode::kRobust), kJapanese, "11"), expected);
}

TEST_F(ScorerTest, RightNumberInTheWrongLanguageIsNotCorrect) {
  const Score expected{.correct = false, .number_ok = true, .language_ok = false, .answer = "11"};
  EXPECT_EQ(Grade(JapaneseTask(NumberMode::kRobust), kEnglish, "11"), expected);
}

TEST_F(ScorerTest, WrongNumberInTheRightLanguageIsNotCorrect) {
  const Score expected{.correct = false, .number_ok = false, .language_ok = true, .answer = "11"};
  EXPECT_EQ(Grade(JapaneseTask(NumberMode::kRobust), kJapanese, "12"), expected);
}

TEST_F(ScorerTest, AnswerWithoutANumberIsWrongEvenForZero) {
  const Score expected{.correct = false, .number_ok = false, .language_ok = true, .answer = ""};
  EXPECT_EQ(Grade(JapaneseTask(NumberMode::kRobust), "わかりません。りんごはありません。", "0"), expected);
  EXPECT_EQ(Grade(JapaneseTask(NumberMode::kPaper), "わかりません。りんごはありません。", "0"), expected);
}

TEST_F(ScorerTest, WithoutALanguageOnlyTheNumberCountsAndNoGateIsNeeded) {
  Task task;
  const Score expected{.correct = true, .number_ok = true, .language_ok = true, .answer = "11"};
  EXPECT_EQ(Scorer(task, nullptr).Grade(kEnglish, {"question", "11"}), expected);
}

TEST_F(ScorerTest, ThresholdIsExceededNotReached) {
  Task task = JapaneseTask(NumberMode::kRobust);
  const double probability = gate_->Probability(kEnglish, "ja");
  ASSERT_GT(probability, 0);
  task.language_threshold = probability;
  EXPECT_FALSE(Grade(task, kEnglish, "11").language_ok);
  task.language_threshold = probability / 2;
  EXPECT_TRUE(Grade(task, kEnglish, "11").language_ok);
}

TEST_F(ScorerTest, ModesReadThousandsAndSignsEachInTheirWay) {
  const Task paper = JapaneseTask(NumberMode::kPaper);
  const Task robust = JapaneseTask(NumberMode::kRobust);
  EXPECT_TRUE(Grade(robust, "答えは1,500円です", "1500").number_ok);
  EXPECT_FALSE(Grade(paper, "答えは1,500円です", "1500").number_ok);
  EXPECT_TRUE(Grade(robust, "答えは-5です", "-5").number_ok);
  EXPECT_FALSE(Grade(paper, "答えは-5です", "-5").number_ok);
  EXPECT_TRUE(Grade(paper, "答えは-5です", "5").number_ok);
  for (const Task& task : {paper, robust}) EXPECT_TRUE(Grade(task, "答えは20.00です", "20").number_ok);
}

TEST_F(ScorerTest, PaperComparesFloatsAndRobustComparesDecimals) {
  constexpr std::string_view kBelow = "答えは0.30000000000000001です";
  EXPECT_TRUE(Grade(JapaneseTask(NumberMode::kPaper), kBelow, "0.3").number_ok);
  EXPECT_FALSE(Grade(JapaneseTask(NumberMode::kRobust), kBelow, "0.3").number_ok);
}

// The 250 answers of text-davinci-002 to MGSM's Japanese test set.
class RealAnswersTest : public ScorerTest {
 protected:
  void SetUp() override {
    const std::string path = SharedPath("data/samples/gpt3.result.mgsm.json");
    if (path.empty()) GTEST_SKIP() << kNoShared;
    const absl::StatusOr<Json> file = ReadJsonFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    answers_ = (*file)["results"]["mgsm-1.0-0.0"]["details"];
    ASSERT_EQ(answers_.size(), 250u);
  }

  std::vector<SampleResult> GradeAll(const Task& task) const {
    const Scorer scorer(task, gate_);
    std::vector<SampleResult> results;
    for (const Json& answer : answers_) {
      const Problem problem{answer["question"].get<std::string>(), JsonText(answer["answer"])};
      const Score score = scorer.Grade(answer["completion"].get<std::string>(), problem);
      SampleResult result;
      result.sample = static_cast<int>(results.size());
      result.correct = score.correct;
      result.number_ok = score.number_ok;
      result.answer = score.answer;
      results.push_back(result);
    }
    return results;
  }

  Json answers_;
};

TEST_F(RealAnswersTest, PaperModeScores256PerMille) {
  EXPECT_EQ(Accuracy(GradeAll(JapaneseTask(NumberMode::kPaper))), 0.256);
}

TEST_F(RealAnswersTest, RobustModeScores268PerMille) {
  EXPECT_EQ(Accuracy(GradeAll(JapaneseTask(NumberMode::kRobust))), 0.268);
}

// The file's own reader removed commas first, as robust mode does.
TEST_F(RealAnswersTest, RobustModeAgreesWithTheFilesOwnVerdictOnEveryAnswer) {
  Task task;
  const std::vector<SampleResult> results = GradeAll(task);
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].number_ok, answers_[i]["acc"].get<bool>()) << i << ": " << answers_[i]["completion"];
  }
}

}  // namespace
}  // namespace heterosis
