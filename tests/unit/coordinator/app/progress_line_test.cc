// SPDX-License-Identifier: Apache-2.0
// Tests of coordinator/progress_line: what a user reads while a run goes on.
#include "coordinator/progress_line.h"

#include <gtest/gtest.h>

namespace heterosis {
namespace {

TEST(ProgressLineTest, AGenerationShowsAllThatTheIssueAsksFor) {
  Progress progress;
  progress.stage = StageKind::kGeneration;
  progress.phase = "ps";
  progress.generation = 11;
  progress.generations = 40;
  progress.trials_done = 6;
  progress.trials_total = 10;
  progress.best = 0.61;
  progress.mean = 0.4825;
  progress.samples_per_second = 309.6;
  progress.workers = 2;
  progress.eta_seconds = 80;
  EXPECT_EQ(ProgressText(progress),
            "ps 12/40  trials 6/10  best 61.0%  mean 48.2%  310 samples/s  2 workers  1m20s left");
}

TEST(ProgressLineTest, WhatIsNotKnownYetIsLeftOut) {
  Progress progress;
  progress.stage = StageKind::kParents;
  progress.trials_total = 3;
  progress.workers = 1;
  EXPECT_EQ(ProgressText(progress), "parents  trials 0/3  0 samples/s  1 worker");
}

TEST(ProgressLineTest, LongTimesAreInHours) {
  Progress progress;
  progress.stage = StageKind::kFinal;
  progress.eta_seconds = 3 * 3600 + 65;
  EXPECT_EQ(ProgressText(progress), "sealed test  trials 0/0  0 samples/s  0 workers  3h01m left");
}

}  // namespace
}  // namespace heterosis
