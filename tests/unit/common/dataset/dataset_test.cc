// SPDX-License-Identifier: Apache-2.0
// Reading problems from files of the three forms, and their errors.
#include "common/dataset/dataset.h"

#include "common/base/file.h"
#include "common/base/utf8.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

class DataSetTest : public testing::Test {
 protected:
  DataSetOptions File(std::string_view name, std::string_view content) const {
    DataSetOptions options;
    options.path = folder_ / name;
    EXPECT_TRUE(WriteFileAtomic(options.path, content).ok());
    return options;
  }
  DataSetOptions Tsv(std::string_view content) const {
    DataSetOptions options = File("data.tsv", content);
    options.question = "0";
    options.answer = "1";
    return options;
  }
  // The problems, or none and a failure.
  static std::vector<Problem> Read(const DataSetOptions& options) {
    const absl::StatusOr<std::vector<Problem>> problems = ReadProblems(options);
    EXPECT_TRUE(problems.ok()) << problems.status();
    return problems.value_or(std::vector<Problem>());
  }
  // The error without the path before it.
  static std::string ErrorOf(const DataSetOptions& options) {
    const absl::Status status = ReadProblems(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    const std::string message(status.message());
    EXPECT_THAT(message, StartsWith(options.path));
    EXPECT_TRUE(IsValidUtf8(message)) << message;
    return message.substr(std::min(options.path.size(), message.size()));
  }

  const TemporaryFolder folder_;
};

const Problem kFirst{"How many?", "18"};
const Problem kSecond{"何個ですか？", "-1234.5"};

TEST_F(DataSetTest, ThreeFormsGiveTheSameProblems) {
  EXPECT_THAT(Read(File("a.jsonl",
                        "{\"question\":\"How many?\",\"answer\":18}\n"
                        "{\"question\":\"何個ですか？\",\"answer\":\"-1,234.50\"}\n")),
              ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Read(File("a.json",
                        " [{\"question\":\"How many?\",\"answer\":\"#### 18\"},\n"
                        "{\"question\":\"何個ですか？\",\"answer\":-1234.5}]")),
              ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Read(Tsv("How many?\t18\n何個ですか？\t-1,234.50\n")), ElementsAre(kFirst, kSecond));
}

TEST_F(DataSetTest, ColumnsAreChosenByNameOrNumber) {
  DataSetOptions json = File("a.jsonl", "{\"id\":1,\"q\":\"How many?\",\"a\":18,\"answer\":\"text\"}");
  json.question = "q";
  json.answer = "a";
  EXPECT_THAT(Read(json), ElementsAre(kFirst));
  DataSetOptions tsv = Tsv("18\tid\tHow many?\n");
  tsv.question = "2";
  tsv.answer = "0";
  EXPECT_THAT(Read(tsv), ElementsAre(kFirst));
}

TEST_F(DataSetTest, FormatGoesBeforeTheEnding) {
  DataSetOptions options = File("data.txt", "{\"question\":\"How many?\",\"answer\":18}");
  EXPECT_THAT(ErrorOf(options), HasSubstr("set `format` to jsonl or tsv"));
  options.format = DataFormat::kJsonl;
  EXPECT_THAT(Read(options), ElementsAre(kFirst));
  options = Tsv("How many?\t18");
  options.format = DataFormat::kTsv;
  EXPECT_THAT(Read(options), ElementsAre(kFirst));
}

TEST_F(DataSetTest, BlankLinesByteOrderMarkAndCrlfAreTolerated) {
  EXPECT_THAT(Read(Tsv("\xEF\xBB\xBFHow many?\t18\r\n\r\n  \n何個ですか？\t-1234.5")), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(Read(File("a.jsonl", "\xEF\xBB\xBF\n{\"question\":\"How many?\",\"answer\":18}\r\n\n")),
              ElementsAre(kFirst));
  EXPECT_THAT(Read(File("a.json", "\xEF\xBB\xBF[{\"question\":\"How many?\",\"answer\":18}]")), ElementsAre(kFirst));
}

TEST_F(DataSetTest, QuestionsAreKeptAsTheyAre) {
  EXPECT_THAT(Read(Tsv(" \"quoted\"  and\\n \t1\n")), ElementsAre(Problem{" \"quoted\"  and\\n ", "1"}));
  EXPECT_THAT(Read(File("a.jsonl", R"({"question":" a\nb ","answer":1})")), ElementsAre(Problem{" a\nb ", "1"}));
}

TEST_F(DataSetTest, RowsSelectAndOtherRowsMayBeBroken) {
  DataSetOptions options = Tsv("\tbad\nHow many?\t18\n\n何個ですか？\t-1234.5\nno answer\n");
  options.rows = "1:3";
  EXPECT_THAT(Read(options), ElementsAre(kFirst, kSecond));
  options.rows = "-2:-1";
  EXPECT_THAT(Read(options), ElementsAre(kSecond));
  DataSetOptions array = File("a.json", R"([5,{"question":"How many?","answer":18}])");
  array.rows = "1:";
  EXPECT_THAT(Read(array), ElementsAre(kFirst));
  options.rows = "9:";
  EXPECT_EQ(ErrorOf(options), ": rows \"9:\" select none of its 4 rows, check `path` and `rows`");
  options.rows = "1-3";
  EXPECT_THAT(ErrorOf(options), HasSubstr("write rows as \"first:end\""));
}

TEST_F(DataSetTest, FileWithoutRowsIsAnError) {
  for (const std::string_view content : {"", "\n \n", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(ErrorOf(Tsv(content)), ": has no rows, check `path` and `rows`");
    EXPECT_EQ(ErrorOf(File("a.jsonl", content)), ": has no rows, check `path` and `rows`");
  }
  EXPECT_EQ(ErrorOf(File("a.json", "[]")), ": has no rows, check `path` and `rows`");
}

TEST_F(DataSetTest, MissingFileIsNotFound) {
  DataSetOptions options;
  options.path = folder_ / "none.jsonl";
  const absl::Status status = ReadProblems(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(options.path));
}

TEST_F(DataSetTest, ErrorsOfLinesSayWhereAndWhatToDo) {
  const auto jsonl = [&](std::string_view line) {
    return ErrorOf(File("a.jsonl", "{\"question\":\"q\",\"answer\":1}\n\n" + std::string(line) + "\n"));
  };
  EXPECT_THAT(jsonl("{\"question\":\"q\""), StartsWith(":3: not JSON, write one object per line (byte "));
  EXPECT_THAT(jsonl("[1]"), StartsWith(":3: is array, write an object like {\"question\": \"...\", \"answer\": 18}"));
  EXPECT_EQ(jsonl("{\"q\":\"q\",\"answer\":1}"),
            ":3: no key \"question\" (there are: q, answer), set `question` to one of them");
  EXPECT_EQ(jsonl("{\"question\":\"q\"}"), ":3: no key \"answer\" (there are: question), set `answer` to one of them");
  EXPECT_EQ(jsonl("{\"question\":5,\"answer\":1}"), ":3: \"question\" is number, write a text");
  EXPECT_THAT(jsonl("{\"question\":\" \",\"answer\":1}"), StartsWith(":3: the question is empty"));
  for (const std::string_view answer : {"\"eighteen\"", "null", "true", "[1]", "\"\"", "\"1,23\""}) {
    EXPECT_THAT(jsonl("{\"question\":\"q\",\"answer\":" + std::string(answer) + "}"),
                testing::MatchesRegex(":3: the answer .* is no number, write it like .*"))
        << answer;
  }
  EXPECT_THAT(jsonl("{\"question\":\"\xFF\",\"answer\":1}"), StartsWith(":3: not JSON"));
}

TEST_F(DataSetTest, ErrorsOfTsvLinesSayWhereAndWhatToDo) {
  EXPECT_EQ(ErrorOf(Tsv("q\t1\nonly a question\n")),
            ":2: has 1 columns and no column 1 (from 0), correct the row or `question` and `answer`");
  EXPECT_EQ(ErrorOf(Tsv("q\t1\nq\xFF\t2\n")), ":2: not UTF-8, convert the file");
  EXPECT_THAT(ErrorOf(Tsv("q\tmany\n")), StartsWith(":1: the answer \"many\" is no number"));
  EXPECT_THAT(ErrorOf(Tsv("\t5\n")), StartsWith(":1: the question is empty"));
  DataSetOptions named = Tsv("q\t1\n");
  named.answer = "answer";
  EXPECT_EQ(ErrorOf(named),
            ": a TSV file has no column names, set `answer` to a 0-based column number instead of \"answer\"");
  named.answer = "-1";
  EXPECT_THAT(ErrorOf(named), HasSubstr("0-based column number"));
}

TEST_F(DataSetTest, ErrorsOfArraysSayTheRow) {
  EXPECT_THAT(ErrorOf(File("a.json", R"([{"question":"q","answer":1},{"question":"q","answer":"x"}])")),
              StartsWith(": row 1: the answer \"x\" is no number"));
  EXPECT_THAT(ErrorOf(File("a.json", "[{\"question\":\"q\"")), StartsWith(": byte "));
}

// Cutting after 60 bytes must not cut a character: the message goes to logs and JSON.
TEST_F(DataSetTest, LongAnswerIsCutBetweenCharactersInTheError) {
  for (const std::string& prefix : {std::string(), std::string("a"), std::string("ab")}) {
    std::string answer = prefix;
    for (int i = 0; i < 100; ++i) answer += "あ";
    EXPECT_THAT(ErrorOf(Tsv("q\t" + answer)), HasSubstr("is no number"));
  }
}

TEST(RealDataSets, MgsmOfEveryLanguageHasTheSame250Answers) {
  if (SharedPath("data/mgsm/mgsm_ja.tsv").empty()) GTEST_SKIP() << kNoShared;
  std::vector<std::string> english;
  for (const std::string language : {"en", "ja", "bn", "de", "es", "fr", "ru", "sw", "te", "th", "zh"}) {
    DataSetOptions options;
    options.path = SharedPath("data/mgsm/mgsm_" + language + ".tsv");
    options.question = "0";
    options.answer = "1";
    const absl::StatusOr<std::vector<Problem>> problems = ReadProblems(options);
    ASSERT_TRUE(problems.ok()) << problems.status();
    ASSERT_THAT(*problems, SizeIs(250)) << language;
    std::vector<std::string> answers;
    for (const Problem& problem : *problems) answers.push_back(problem.answer);
    if (language == "en") english = answers;
    EXPECT_EQ(answers, english) << language;
  }
  EXPECT_EQ(english[0], "18");
  EXPECT_EQ(english[2], "70000");
}

std::vector<Problem> Gsm8k(const std::string& rows) {
  DataSetOptions options;
  options.path = SharedPath("data/gsm8k/test.jsonl");
  options.rows = rows;
  const absl::StatusOr<std::vector<Problem>> problems = ReadProblems(options);
  EXPECT_TRUE(problems.ok()) << problems.status();
  return problems.value_or(std::vector<Problem>());
}

TEST(RealDataSets, Gsm8kIsReadAndItsNumberedRowsAgree) {
  if (SharedPath("data/gsm8k/test.jsonl").empty()) GTEST_SKIP() << kNoShared;
  const std::vector<Problem> all = Gsm8k("");
  ASSERT_THAT(all, SizeIs(1319));
  EXPECT_THAT(all[0].question, StartsWith("Janet’s ducks lay 16 eggs"));
  EXPECT_EQ(all[0].answer, "18");
  for (const size_t negative : {489u, 1113u}) EXPECT_THAT(all[negative].answer, StartsWith("-"));
  DataSetOptions numbered;  // rows 250 to the end, with the answer as a number
  numbered.path = SharedPath("data/gsm8k/gsm8k_test_250_1318.jsonl");
  numbered.answer = "answer_number";
  const absl::StatusOr<std::vector<Problem>> rest = ReadProblems(numbered);
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(*rest, Gsm8k("250:"));
}

TEST(RealDataSets, MsvampIsRead) {
  const std::string path = SharedPath("data/msvamp_ja/test_Japanese.json");
  if (path.empty()) GTEST_SKIP() << kNoShared;
  DataSetOptions options;
  options.path = path;
  options.question = "m_query";
  options.answer = "response";
  const absl::StatusOr<std::vector<Problem>> problems = ReadProblems(options);
  ASSERT_TRUE(problems.ok()) << problems.status();
  ASSERT_THAT(*problems, SizeIs(1000));
  EXPECT_EQ(problems->front().answer, "8");
}

TEST(CheckDisjoint, PapersSplitsAreDisjoint) {
  if (SharedPath("data/gsm8k/test.jsonl").empty()) GTEST_SKIP() << kNoShared;
  EXPECT_TRUE(CheckDisjoint(Gsm8k("250:1119"), Gsm8k("-200:"), Gsm8k(":250")).ok());
  EXPECT_FALSE(CheckDisjoint(Gsm8k("250:1120"), Gsm8k("-200:"), Gsm8k(":250")).ok());
}

TEST(CheckDisjoint, NamesBothRowsOfAProblemInTwoSplits) {
  const std::vector<Problem> search = {{"a", "1"}, {"b", "2"}};
  const std::vector<Problem> validation = {{"c", "3"}};
  EXPECT_TRUE(CheckDisjoint(search, validation, {{"d", "4"}}).ok());
  const absl::Status in_test = CheckDisjoint(search, validation, {{"d", "4"}, {" b\n", "9"}});
  EXPECT_EQ(in_test.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(in_test.message()), StartsWith("row 1 of test asks the same as row 1 of search: "));
  EXPECT_THAT(std::string(CheckDisjoint(search, validation, {{"c", "3"}}).message()),
              StartsWith("row 0 of test asks the same as row 0 of validation"));
  EXPECT_THAT(std::string(CheckDisjoint(search, search, {}).message()),
              StartsWith("row 0 of validation asks the same as row 0 of search"));
}

TEST(CheckDisjoint, RepetitionWithinASplitAndEmptySplitsAreAccepted) {
  EXPECT_TRUE(CheckDisjoint({{"a", "1"}, {"a", "1"}}, {}, {}).ok());
  EXPECT_TRUE(CheckDisjoint({}, {}, {}).ok());
  EXPECT_FALSE(CheckDisjoint({{"a", "1"}, {"a", "1"}}, {}, {{"a", "1"}}).ok());
}

}  // namespace
}  // namespace heterosis
