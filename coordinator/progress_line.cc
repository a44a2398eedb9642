// SPDX-License-Identifier: Apache-2.0
// Implements progress_line.h.
#include "coordinator/progress_line.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/logging.h"

namespace heterosis {
namespace {

constexpr std::chrono::seconds kLogInterval{60};

std::string Duration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(seconds));
  if (total < 60) return absl::StrFormat("%ds", total);
  if (total < 3600) return absl::StrFormat("%dm%02ds", total / 60, total % 60);
  return absl::StrFormat("%dh%02dm", total / 3600, total / 60 % 60);
}

std::string StageText(const Progress& progress) {
  switch (progress.stage) {
    case StageKind::kParents:
      return "parents";
    case StageKind::kGeneration:
      return absl::StrFormat("%s %d/%d", progress.phase, progress.generation + 1, progress.generations);
    case StageKind::kSelection:
      return absl::StrCat(progress.phase, " selection");
    case StageKind::kFinal:
      return "sealed test";
  }
  return "";
}

}  // namespace

std::string ProgressText(const Progress& progress) {
  std::string text =
      absl::StrFormat("%s  trials %d/%d", StageText(progress), progress.trials_done, progress.trials_total);
  if (progress.best.has_value()) absl::StrAppendFormat(&text, "  best %.1f%%", 100 * *progress.best);
  if (progress.mean.has_value()) absl::StrAppendFormat(&text, "  mean %.1f%%", 100 * *progress.mean);
  absl::StrAppendFormat(&text, "  %.0f samples/s  %d worker%s", progress.samples_per_second, progress.workers,
                        progress.workers == 1 ? "" : "s");
  if (progress.eta_seconds.has_value()) absl::StrAppend(&text, "  ", Duration(*progress.eta_seconds), " left");
  return text;
}

void ProgressLine::Show(const Progress& progress) {
  if (live_) {
    // Cut the rest of an older, longer line.
    std::fprintf(stderr, "\r%s\x1b[K", ProgressText(progress).c_str());
    shown_ = true;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  const std::string stage = StageText(progress);
  if (stage == last_stage_ && now - last_logged_ < kLogInterval) return;
  last_stage_ = stage;
  last_logged_ = now;
  LogInfo(ProgressText(progress));
}

void ProgressLine::Finish() {
  if (shown_) std::fprintf(stderr, "\n");
  shown_ = false;
}

}  // namespace heterosis
