// SPDX-License-Identifier: Apache-2.0
// Whole shards on the demo's models: merge, decode, score; and the errors that a coordinator sorts by.
#include "worker/evaluate/merge_trial_runner.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <numeric>

#include "gmock/gmock.h"
#include "tests/unit/worker/evaluate/fixture.h"
#include "worker/evaluate/answering.h"

namespace heterosis {
namespace {

using ::testing::HasSubstr;

class MergeTrialRunnerTest : public ::testing::Test {
 protected:
  static Recipe Only(const std::string& name) { return SingleModelRecipe(name, "base", DType::kFloat32); }

  // A shard of the last 24 of 30 problems.
  static ShardWork Work(const Recipe& recipe) {
    ShardWork work;
    work.key = {7, 1, 2};
    work.recipe = recipe;
    const std::vector<Problem> problems = DemoProblems(30);
    for (int i = 6; i < 30; ++i) {
      work.samples.push_back(i);
      work.problems.push_back(problems[static_cast<size_t>(i)]);
    }
    return work;
  }

  void SetUp() override {
    runner_ = MakeTrialRunner({.models = DemoModels(), .device = TestCpu(), .language_model = LanguageModelPath()});
    ASSERT_TRUE(runner_->Prepare(DemoTask()).ok());
  }

  absl::StatusOr<ShardResult> Run(const Recipe& recipe) { return runner_->Run(Work(recipe), kNotCancelled); }

  static int Correct(const std::vector<SampleResult>& results) {
    return static_cast<int>(std::count_if(results.begin(), results.end(), [](const auto& r) { return r.correct; }));
  }

  std::unique_ptr<TrialRunner> runner_;
};

// A recipe comes over the network: what it names is looked up among the worker's models, and is never a path.
TEST_F(MergeTrialRunnerTest, ARecipeCannotNameAPath) {
  const std::string real = DemoModels().at("ja");  // a folder that could well be opened
  for (const std::string& name : {std::string("../x"), std::string("/etc/passwd"), std::string(".."),
                                  std::string("../ja"), std::string("./ja"), real}) {
    Recipe base = DemoMerge(1, 1), source = DemoMerge(1, 1), tokenizer = DemoMerge(1, 1);
    base.base = name;
    source.sources[1] = name;
    tokenizer.tokenizer = name;
    for (const Recipe& recipe : {base, source, tokenizer, Only(name)}) {
      const absl::Status status = Run(recipe).status();
      EXPECT_FALSE(status.ok()) << name;
      EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("no model \"", name, "\""))) << name;
    }
  }
}

// The unmerged model's recipe gives what the model on disk gives, by a way without any merging.
TEST_F(MergeTrialRunnerTest, AParentsRecipeAnswersAsTheParentItself) {
  for (const std::string name : {"ja", "math"}) {
    const LoadedModel loaded = OpenModel(DemoModel(name)).value();
    const auto model = LoadForDecoding(loaded, TestCpu(), DType::kFloat32).value();
    const auto gate = LoadLanguageGate(DemoTask(), LanguageModelPath()).value();
    const ShardWork work = Work(Only(name));
    const std::vector<SampleResult> expected =
        AnswerProblems(*model, loaded, DemoTask(), gate.get(), work.problems, work.samples, kNotCancelled).value();
    const absl::StatusOr<ShardResult> result = runner_->Run(work, kNotCancelled);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->key, work.key);
    EXPECT_EQ(result->samples, expected);
    EXPECT_GT(result->decode_seconds, 0);
  }
}

TEST_F(MergeTrialRunnerTest, AnswersAreJudgedByNumberAndLanguage) {
  const ShardResult ja = Run(Only("ja")).value(), math = Run(Only("math")).value();
  int right_number_wrong_language = 0;
  for (const ShardResult* result : {&ja, &math}) {
    ASSERT_EQ(result->samples.size(), 24u);
    for (size_t i = 0; i < result->samples.size(); ++i) {
      const SampleResult& sample = result->samples[i];
      EXPECT_EQ(sample.sample, static_cast<int>(i) + 6);
      EXPECT_EQ(sample.correct, sample.number_ok && sample.language_ok);
      EXPECT_EQ(sample.number_ok, sample.answer == Work(Only("ja")).problems[i].answer) << sample.text;
      EXPECT_GT(sample.prompt_tokens, 1);
      right_number_wrong_language += sample.number_ok && !sample.language_ok;
    }
  }
  EXPECT_GT(Correct(ja.samples), 0);
  EXPECT_GT(right_number_wrong_language, 0);  // the arithmetic expert answers in English
}

TEST_F(MergeTrialRunnerTest, ResultsDoNotDependOnWhatRanBefore) {
  const std::vector<SampleResult> first = Run(DemoMerge(0.8, 0.7))->samples;
  ASSERT_TRUE(Run(DemoMerge(0.1, 0.2)).ok());
  ASSERT_TRUE(Run(Only("math")).ok());
  EXPECT_EQ(Run(DemoMerge(0.8, 0.7))->samples, first);
  EXPECT_EQ(Run(DemoMerge(0.8, 0.7))->samples, first);  // the resident model
  SetUp();                                              // another worker
  EXPECT_EQ(Run(DemoMerge(0.8, 0.7))->samples, first);
}

TEST_F(MergeTrialRunnerTest, AShardsSlicesGiveTheWholesResults) {
  const ShardWork whole = Work(DemoMerge(0.8, 0.7));
  const std::vector<SampleResult> expected = runner_->Run(whole, kNotCancelled)->samples;
  std::vector<SampleResult> parts;
  for (size_t begin = 0; begin < whole.samples.size(); begin += 8) {
    ShardWork slice = whole;
    const auto at = static_cast<std::ptrdiff_t>(begin);
    slice.samples.assign(whole.samples.begin() + at, whole.samples.begin() + at + 8);
    slice.problems.assign(whole.problems.begin() + at, whole.problems.begin() + at + 8);
    const absl::StatusOr<ShardResult> result = runner_->Run(slice, kNotCancelled);
    ASSERT_TRUE(result.ok()) << result.status();
    parts.insert(parts.end(), result->samples.begin(), result->samples.end());
  }
  EXPECT_EQ(parts, expected);
}

TEST_F(MergeTrialRunnerTest, ANewTaskReplacesTheOld) {
  ASSERT_TRUE(Run(Only("math")).ok());
  Task task = DemoTask();
  task.language = "";
  task.max_new_tokens = 3;
  ASSERT_TRUE(runner_->Prepare(task).ok());
  const std::vector<SampleResult> results = Run(Only("math"))->samples;
  for (const SampleResult& result : results) {
    EXPECT_TRUE(result.language_ok);
    EXPECT_LE(result.new_tokens, 3);
  }
}

TEST_F(MergeTrialRunnerTest, AVocabularyIsLoggedOnceHoweverOftenTheSourcesChange) {
  testing::internal::CaptureStdout();
  for (const char* model : {"ja", "math", "ja", "math", "ja"}) EXPECT_TRUE(Run(Only(model)).ok()) << model;
  const std::string log = testing::internal::GetCapturedStdout();
  const size_t first = log.find("vocabulary of model \"ja\"");
  EXPECT_EQ(log.find("vocabulary of model \"ja\"", first + 1), std::string::npos) << log;
}

TEST_F(MergeTrialRunnerTest, EachErrorHasTheCodeByWhichTheCoordinatorSorts) {
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(runner_->Run(Work(Only("ja")), cancelled).status().code(), absl::StatusCode::kCancelled);
  // No merge is begun: this one could not be.
  EXPECT_EQ(runner_->Run(Work(Only("nobody")), cancelled).status().code(), absl::StatusCode::kCancelled);

  const absl::Status unknown = Run(Only("nobody")).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("--model nobody=FOLDER"));

  // Weights out of the range of float16 are infinite, and such a model computes NaN.
  Recipe infinite = DemoMerge(1e9, 1e9);
  infinite.out_dtype = DType::kFloat16;
  const absl::Status overflow = Run(infinite).status();
  EXPECT_EQ(overflow.code(), absl::StatusCode::kDataLoss) << overflow;

  Recipe broken = DemoMerge(0.5, 0.5);
  broken.rows[0].match = {"model.layers.*"};
  EXPECT_EQ(Run(broken).status().code(), absl::StatusCode::kInvalidArgument);

  EXPECT_TRUE(Run(DemoMerge(0.8, 0.7)).ok());  // and none of them does harm
}

// As `ulimit -v` does: what this process has now, and so much more.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(size_t more_bytes) {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    getrlimit(RLIMIT_AS, &before_);
    const rlimit limit{pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + more_bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~AddressSpaceLimit() { setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

TEST_F(MergeTrialRunnerTest, ShortOfMemoryItAnswersWithFewerRows) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer needs address space of its own";
#endif
  Task task = DemoTask();
  task.max_new_tokens = 200;  // 24 rows of them: a cache of about 16 MiB
  task.batch_size = 24;
  ASSERT_TRUE(runner_->Prepare(task).ok());
  const ShardWork whole = Work(Only("math"));
  ShardWork slice = whole;
  slice.samples.resize(1);
  slice.problems.resize(1);
  ASSERT_TRUE(runner_->Run(slice, kNotCancelled).ok());  // the model is there, and its threads
  testing::internal::CaptureStdout();
  absl::StatusOr<ShardResult> result = absl::UnknownError("");
  {
    const AddressSpaceLimit limit(size_t{8} << 20);
    result = runner_->Run(whole, kNotCancelled);
  }
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("trying again with batch size 6"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->samples, runner_->Run(whole, kNotCancelled)->samples);
}

TEST_F(MergeTrialRunnerTest, ATaskThatNoAnswerCouldPassIsRefused) {
  Task task = DemoTask();
  task.language = "xx";
  const absl::Status status = runner_->Prepare(task);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not know the language \"xx\""));

  runner_ = MakeTrialRunner({.models = DemoModels(), .device = TestCpu(), .language_model = "no/lid.ftz"});
  EXPECT_EQ(runner_->Prepare(DemoTask()).code(), absl::StatusCode::kNotFound);
  task.language = "";
  EXPECT_TRUE(runner_->Prepare(task).ok());  // needs no gate
}

TEST(OpenModel, AFolderThatIsNoModelIsAnErrorThatNamesIt) {
  EXPECT_EQ(OpenModel("no/such/folder").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(OpenModel("no/such/folder").status().message()), HasSubstr("no/such/folder"));
}

}  // namespace
}  // namespace heterosis
