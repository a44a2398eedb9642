// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/local_workers with small shell scripts in place of the worker.
#include "coordinator/local_workers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <functional>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include "common/base/file.h"
#include "tests/support/shared.h"

namespace heterosis {
namespace {

using std::chrono::milliseconds;

class LocalWorkersTest : public ::testing::Test {
 protected:
  LocalWorkersOptions Options(const std::string& script, int count) {
    const std::string program = folder_ / "worker";
    EXPECT_TRUE(WriteFileAtomic(program, "#!/bin/sh\n" + script + "\n").ok());
    chmod(program.c_str(), 0700);
    LocalWorkersOptions options;
    options.program = program;
    options.coordinator = "127.0.0.1:1";
    options.models = {{"math", "/models/math"}};
    options.count = count;
    options.log_prefix = folder_ / "run";
    return options;
  }

  // Waits for a condition that another process brings about.
  bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
  }

  std::string Log(int worker) {
    return ReadFile(folder_ / ("run.worker-" + std::to_string(worker) + ".log")).value_or("");
  }

  // What a worker that prints its process id has written, a line for each of its lives.
  std::vector<pid_t> Pids() {
    std::istringstream lines(Log(0));
    return {std::istream_iterator<pid_t>(lines), {}};
  }

  TemporaryFolder folder_;
};

TEST_F(LocalWorkersTest, EachWorkerGetsTheCoordinatorTheModelsAndAName) {
  LocalWorkers workers(Options("echo \"$@\"; exec sleep 60", 2));
  ASSERT_TRUE(workers.Start().ok());
  EXPECT_TRUE(Eventually([&] { return !Log(0).empty() && !Log(1).empty(); }));
  EXPECT_EQ(Log(1), "--cpu --coordinator 127.0.0.1:1 --name local-1 --threads 1 --model math=/models/math\n");
}

TEST_F(LocalWorkersTest, ADeadWorkerIsStartedAgain) {
  LocalWorkers workers(Options("echo started; kill -9 $$", 1));
  ASSERT_TRUE(workers.Start().ok());
  EXPECT_TRUE(Eventually([&] { return Log(0) == "started\nstarted\n" || Log(0).size() > 16; })) << Log(0);
}

TEST_F(LocalWorkersTest, WorkersThatKeepDyingAtOnceAreGivenUpWithTheReason) {
  LocalWorkers workers(Options("exit 3", 1));
  ASSERT_TRUE(workers.Start().ok());
  ASSERT_TRUE(Eventually([&] { return !workers.status().ok(); }));
  EXPECT_NE(workers.status().message().find("exit status 3"), std::string::npos) << workers.status();
  EXPECT_NE(workers.status().message().find("run.worker-0.log"), std::string::npos) << workers.status();
}

TEST_F(LocalWorkersTest, AWorkerThatIsDoneIsNotStartedAgain) {
  LocalWorkers workers(Options("echo done", 1));
  ASSERT_TRUE(workers.Start().ok());
  workers.Wait(milliseconds(5'000));
  EXPECT_EQ(Log(0), "done\n");
  EXPECT_TRUE(workers.status().ok());
}

TEST_F(LocalWorkersTest, AWorkerThatEndsInOrderBeforeTheEndIsStartedAgainAfterAPause) {
  LocalWorkersOptions options = Options("trap 'exit 0' TERM; echo $$; while :; do sleep 0.02; done", 1);
  std::atomic<int> exits = 0;
  options.on_exit = [&](const std::string& worker) {
    EXPECT_EQ(worker, "local-0");
    ++exits;
  };
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.Start().ok());
  for (size_t life = 1; life <= 2; ++life) {
    ASSERT_TRUE(Eventually([&] { return Pids().size() == life; })) << Log(0);
    kill(Pids().back(), SIGTERM);
    ASSERT_TRUE(Eventually([&] { return exits == static_cast<int>(life); }));
  }
  EXPECT_TRUE(Eventually([&] { return Pids().size() == 3; })) << Log(0);
  EXPECT_TRUE(workers.status().ok());
}

TEST_F(LocalWorkersTest, AWorkerThatWasStartedAgainIsStoppedByOneSignal) {
  // The first life dies; the second counts the signals that it gets until it ends.
  const std::string script =
      "if [ ! -e " + (folder_ / "lived") + " ]; then touch " + (folder_ / "lived") +
      "; exit 1; fi; trap 'echo TERM' TERM; echo up; i=0; while [ $i -lt 30 ]; do sleep 0.02; i=$((i+1)); done";
  LocalWorkers workers(Options(script, 1));
  ASSERT_TRUE(workers.Start().ok());
  ASSERT_TRUE(Eventually([&] { return Log(0) == "up\n"; })) << Log(0);
  workers.Stop(milliseconds(5'000));
  EXPECT_EQ(Log(0), "up\nTERM\n");
}

TEST_F(LocalWorkersTest, EveryEndIsToldAlsoThatOfAKilledWorker) {
  LocalWorkersOptions options = Options("kill -9 $$", 1);
  std::atomic<int> exits = 0;
  options.on_exit = [&](const std::string&) { ++exits; };
  LocalWorkers workers(options);
  ASSERT_TRUE(workers.Start().ok());
  EXPECT_TRUE(Eventually([&] { return exits >= 2; }));
}

TEST_F(LocalWorkersTest, StopKillsAWorkerThatIgnoresTheSignal) {
  LocalWorkers workers(Options("trap '' TERM; echo deaf; while :; do sleep 0.05; done", 1));
  ASSERT_TRUE(workers.Start().ok());
  ASSERT_TRUE(Eventually([&] { return !Log(0).empty(); }));
  workers.Stop(milliseconds(100));  // returns only when nothing runs
}

TEST_F(LocalWorkersTest, AMissingProgramIsAnError) {
  LocalWorkersOptions options;
  options.program = folder_ / "nothing";
  options.count = 1;
  LocalWorkers workers(options);
  EXPECT_EQ(workers.Start().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heterosis
