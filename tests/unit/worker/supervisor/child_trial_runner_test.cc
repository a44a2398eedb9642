// SPDX-License-Identifier: Apache-2.0
// Tests of worker/supervisor with real processes: whatever becomes of the child, there is an answer, and a next child.
#include "worker/supervisor/child_trial_runner.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "common/base/status.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

ShardWork Work(const std::string& question, int64_t trial = 1) {
  ShardWork work;
  work.key = {trial, 0, 1};
  work.recipe.method = MergeMethod::kLinear;
  work.recipe.sources = {"a", "b"};
  work.recipe.tokenizer = "a";
  work.recipe.rows = {{.match = {"*"}, .weight = {0.5, 0.5}, .density = {}, .t = 0}};
  work.samples = {0};
  work.problems = {{question, "1"}};
  return work;
}

class ChildTrialRunnerTest : public ::testing::Test {
 protected:
  ChildTrialRunnerTest() {
    options_.program = HETEROSIS_SCRIPTED_CHILD;
    options_.setup.language_model = "lid";
    task_.prompt_template = "{input}";
    task_.batch_size = 32;
  }

  ChildTrialRunner& Runner() {
    if (runner_ == nullptr) {
      runner_ = MakeChildTrialRunner(options_, stop_);
      EXPECT_EQ(runner_->Prepare(task_), absl::OkStatus());
    }
    return *runner_;
  }
  absl::StatusOr<ShardResult> Run(const std::string& question, int64_t trial = 1) {
    return Runner().Run(Work(question, trial), cancelled_);
  }
  absl::Status ErrorOf(const std::string& question) { return Run(question).status(); }
  // What a child tells of itself: `text` is its process, `new_tokens` the shards that it had.
  SampleResult Answer(const std::string& question, int64_t trial = 1) {
    const absl::StatusOr<ShardResult> result = Run(question, trial);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->samples.at(0) : SampleResult{};
  }

  ChildTrialRunnerOptions options_;
  Task task_;
  std::atomic<bool> stop_ = false, cancelled_ = false;
  std::unique_ptr<ChildTrialRunner> runner_;
};

TEST_F(ChildTrialRunnerTest, OneChildAnswersShardAfterShard) {
  const SampleResult first = Answer("x"), second = Answer("y", 2);
  EXPECT_EQ(first.answer, "lid") << "the setup arrives";
  EXPECT_EQ(first.prompt_tokens, 32) << "the task arrives";
  EXPECT_NE(first.text, std::to_string(getpid()));
  EXPECT_EQ(second.text, first.text);
  EXPECT_EQ(second.new_tokens, 2);
}

TEST_F(ChildTrialRunnerTest, ADeathIsAnErrorWithTheSignalAndTheLastLines) {
  const absl::Status error = ErrorOf("abort");
  EXPECT_EQ(error.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(Message(error), HasSubstr("SIGABRT (Aborted)"));
  EXPECT_THAT(Message(error), HasSubstr("first line\nthe reason why"));
}

TEST_F(ChildTrialRunnerTest, EveryWayOfDyingIsToldAndTheNextShardFindsANewChild) {
  std::string last = Answer("x").text;
  for (const auto& [question, told] :
       {std::pair("segv", "SIGSEGV"), std::pair("kill", "SIGKILL"), std::pair("exit", "exit status 3"),
        std::pair("throw", "SIGABRT"), std::pair("internal", "CUDA error")}) {
    const absl::Status error = ErrorOf(question);
    EXPECT_EQ(error.code(), absl::StatusCode::kInternal) << question << ": " << error;
    EXPECT_THAT(Message(error), HasSubstr(told));
    const SampleResult next = Answer("x");
    EXPECT_NE(next.text, last) << question << ": a new process";
    EXPECT_EQ(next.new_tokens, 1) << question;
    EXPECT_EQ(next.prompt_tokens, 32) << question << ": it was prepared";
    last = next.text;
  }
}

TEST_F(ChildTrialRunnerTest, AnErrorThatLeavesNothingBehindKeepsTheChild) {
  const std::string child = Answer("x").text;
  EXPECT_EQ(ErrorOf("numeric").code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ErrorOf("memory").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Answer("x").text, child);
}

TEST_F(ChildTrialRunnerTest, BadAllocIsMemoryWhereverItIsThrown) {
  for (const char* question : {"bad_alloc", "bad_alloc_in_a_thread"}) {
    const absl::Status error = ErrorOf(question);
    EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted) << question << ": " << error;
  }
  EXPECT_EQ(Answer("x", 2).new_tokens, 1) << "the worker goes on";
}

TEST_F(ChildTrialRunnerTest, ADeathForWantOfMemoryIsTriedAgainWithFewerRowsAndTheNextTrialWithAll) {
  EXPECT_EQ(Answer("bad_alloc_unless_one_row").prompt_tokens, 1);
  EXPECT_EQ(Answer("x").prompt_tokens, 1) << "the trial's other shards begin with what was enough";
  EXPECT_EQ(Answer("x", 2).prompt_tokens, 32);
}

TEST_F(ChildTrialRunnerTest, AChildThatMakesNoStepIsKilled) {
  options_.hang_max = milliseconds(1'500);
  for (const char* question : {"hang", "stop"}) {
    const absl::Status error = ErrorOf(question);
    EXPECT_EQ(error.code(), absl::StatusCode::kInternal) << question;
    EXPECT_THAT(Message(error), HasSubstr("made no step for 1.5 s")) << question;
  }
  EXPECT_EQ(Answer("x").new_tokens, 1);
}

TEST_F(ChildTrialRunnerTest, ASlowChildThatMakesStepsLives) {
  Answer("x");  // the start is not what is timed here
  options_.hang_max = milliseconds(2'500);
  runner_.reset();
  EXPECT_EQ(Answer("slow").new_tokens, 1) << "4 s of work";
}

TEST_F(ChildTrialRunnerTest, ACancelledShardEndsAndTheChildStays) {
  const std::string child = Answer("x").text;
  auto running = std::async(std::launch::async, [&] { return ErrorOf("until cancelled"); });
  cancelled_ = true;
  EXPECT_EQ(running.get().code(), absl::StatusCode::kCancelled);
  cancelled_ = false;
  EXPECT_EQ(Answer("x").text, child);
}

TEST_F(ChildTrialRunnerTest, AChildThatDoesNotHearACancellationIsKilled) {
  options_.cancel_max = milliseconds(200);
  Runner();
  auto running = std::async(std::launch::async, [&] { return ErrorOf("hang"); });
  cancelled_ = true;
  EXPECT_EQ(running.get().code(), absl::StatusCode::kCancelled);
  cancelled_ = false;
  EXPECT_EQ(Answer("x").new_tokens, 1);
}

TEST_F(ChildTrialRunnerTest, AStopDoesNotWaitForTheChild) {
  options_.cancel_max = std::chrono::hours(1);
  Runner();
  auto running = std::async(std::launch::async, [&] { return ErrorOf("hang"); });
  stop_ = true;
  EXPECT_EQ(running.get().code(), absl::StatusCode::kCancelled);
}

TEST_F(ChildTrialRunnerTest, ACanaryIsAnsweredOrItsErrorTold) {
  CanaryWork work{.number = 7, .recipe = Work("x").recipe, .problems = {{"x", "1"}}};
  const auto result = Runner().RunCanary(work, cancelled_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, (CanaryResult{.number = 7, .answers = {{{{1, 2.5F}}}}}));
  work.problems[0].question = "abort";
  EXPECT_EQ(Runner().RunCanary(work, cancelled_).status().code(), absl::StatusCode::kInternal);
}

TEST_F(ChildTrialRunnerTest, TheChildHasNoFilesOfItsParent) {
  const int file = open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as other people's libraries open them
  ASSERT_GE(file, 0);
  EXPECT_EQ(Answer("files").new_tokens, 4) << "standard input, output and error, and its socket";
  close(file);
}

TEST_F(ChildTrialRunnerTest, TheChildHasNotTheToken) {
  setenv("HETEROSIS_TOKEN", "secret", 1);
  const absl::Status error = ErrorOf("say token");
  unsetenv("HETEROSIS_TOKEN");
  EXPECT_THAT(Message(error), HasSubstr("token: none"));
}

TEST_F(ChildTrialRunnerTest, TheChildEndsWithItsRunner) {
  const pid_t child = std::stoi(Answer("x").text);
  ASSERT_EQ(kill(child, 0), 0);
  runner_.reset();
  EXPECT_EQ(kill(child, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(ChildTrialRunnerTest, AThreadThatEndsDoesNotTakeTheChildAlong) {
  std::string first;
  std::thread([&] { first = Answer("x").text; }).join();
  EXPECT_EQ(Answer("x").text, first);
}

TEST_F(ChildTrialRunnerTest, AnIntactGroupSignalLeavesTheEndToTheParent) {
  const pid_t child = std::stoi(Answer("x").text);
  kill(child, SIGINT);
  kill(child, SIGTERM);
  EXPECT_EQ(Answer("x").text, std::to_string(child));
}

TEST_F(ChildTrialRunnerTest, ADeviceThatIsNotThereIsTheChildsOwnError) {
  options_.setup.gpu = 5;
  const absl::Status error = MakeChildTrialRunner(options_, stop_)->WaitReady();
  EXPECT_EQ(error, absl::NotFoundError("there is no GPU 5"));
}

TEST_F(ChildTrialRunnerTest, APreparationThatFailsIsTheTasksFault) {
  task_.language = "xx";
  EXPECT_EQ(MakeChildTrialRunner(options_, stop_)->Prepare(task_).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ChildTrialRunnerTest, ACrashThatComesBackAtTheStartIsNoFaultOfAShard) {
  // A device that died with the first child: none comes up any more.
  const std::string script = testing::TempDir() + "/flaky_child_" + std::to_string(getpid());
  ASSERT_EQ(symlink(HETEROSIS_SCRIPTED_CHILD, script.c_str()), 0);
  options_.program = script;
  EXPECT_EQ(ErrorOf("abort").code(), absl::StatusCode::kInternal);
  ASSERT_EQ(unlink(script.c_str()), 0);
  const absl::Status error = ErrorOf("x");
  EXPECT_EQ(error.code(), absl::StatusCode::kUnavailable) << error;
  EXPECT_THAT(Message(error), HasSubstr("cannot be executed"));
}

TEST_F(ChildTrialRunnerTest, AProgramThatIsNotThereOrDiesAtOnceIsTold) {
  options_.program = "/nowhere";
  EXPECT_THAT(Message(MakeChildTrialRunner(options_, stop_)->WaitReady()), HasSubstr("cannot be executed"));
  options_.program = HETEROSIS_SCRIPTED_CHILD;
  options_.setup.language_model = "dies at once";
  EXPECT_THAT(Message(MakeChildTrialRunner(options_, stop_)->WaitReady()), HasSubstr("exit status 9"));
}

}  // namespace
}  // namespace heterosis
