// SPDX-License-Identifier: Apache-2.0
// Implements scorer.h.
#include "common/scoring/scorer.h"

#include <cassert>
#include <optional>

#include "absl/strings/numbers.h"
#include "common/scoring/number.h"

namespace heterosis {
namespace {

// In paper mode the authors compare floats; otherwise plain decimals are equal just where their texts are.
bool IsRight(const Number& number, const std::string& expected, NumberMode mode) {
  if (mode == NumberMode::kRobust) return number.text == expected;
  double value = 0;
  return absl::SimpleAtod(expected, &value) && number.value == value;
}

}  // namespace

Scorer::Scorer(const Task& task, const LanguageGate* gate)
    : number_mode_(task.number_mode),
      language_(task.language),
      language_threshold_(task.language_threshold),
      gate_(gate) {
  assert(language_.empty() || gate_ != nullptr);
}

Score Scorer::Grade(std::string_view text, const Problem& problem) const {
  Score score;
  if (const std::optional<Number> number = ExtractNumber(text, number_mode_); number.has_value()) {
    score.answer = number->text;
    score.number_ok = IsRight(*number, problem.answer, number_mode_);
  }
  score.language_ok = language_.empty() || gate_->Probability(text, language_) > language_threshold_;
  score.correct = score.number_ok && score.language_ok;
  return score;
}

}  // namespace heterosis
