// SPDX-License-Identifier: Apache-2.0
// Judges one answer: the right number, in the right language (DESIGN.md section 7).
#pragma once

#include <string>
#include <string_view>

#include "common/dataset/problem.h"
#include "common/scoring/language.h"
#include "common/trial/task.h"

namespace heterosis {

struct Score {
  bool correct = false;  // number_ok and language_ok
  bool number_ok = false;
  bool language_ok = false;  // always true where the task asks for no language
  std::string answer;        // the number that was read, a plain decimal, or empty
  bool operator==(const Score&) const = default;
};

// Thread-safe.
class Scorer {
 public:
  // `gate` is borrowed, must outlive the scorer and may be null only where task.language is empty.
  Scorer(const Task& task, const LanguageGate* gate);

  Score Grade(std::string_view text, const Problem& problem) const;

 private:
  NumberMode number_mode_;
  std::string language_;
  double language_threshold_;
  const LanguageGate* gate_;
};

}  // namespace heterosis
