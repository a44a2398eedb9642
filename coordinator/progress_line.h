// SPDX-License-Identifier: Apache-2.0
// Shows a run's progress: one live line on a terminal, a log line per generation and minute elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "coordinator/experiment/progress.h"

namespace heterosis {

// "ps 12/40  trials 6/10  best 61.0%  mean 48.2%  310 samples/s  2 workers  1m20s left"
std::string ProgressText(const Progress& progress);

// For one thread.
class ProgressLine {
 public:
  // `live`: standard error is a terminal and the log is text.
  explicit ProgressLine(bool live) : live_(live) {}
  void Show(const Progress& progress);
  // Ends the live line, so that what follows begins on one of its own.
  void Finish();

 private:
  const bool live_;
  bool shown_ = false;
  std::string last_stage_;
  std::chrono::steady_clock::time_point last_logged_{};
};

}  // namespace heterosis
