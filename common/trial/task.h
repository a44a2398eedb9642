// SPDX-License-Identifier: Apache-2.0
// How a model is asked and judged: everything besides the recipe and the problems that decides a score. Part of the
// experiment, the same for every trial, sent to each worker once.
#pragma once

#include <string>
#include <vector>

#include "common/genome/recipe.h"

namespace heterosis {

enum class NumberMode { kRobust, kPaper };  // DESIGN.md section 7

struct Task {
  // The prompt: a text in which {input} stands for the question; or, when `chat` is set, the tokenizer's own chat
  // template with the filled-in text as the user's message (an empty prompt_template then means just the question).
  std::string prompt_template;
  bool chat = false;

  int max_new_tokens = 1024;
  std::vector<std::string> stop;  // generation ends before the first of these texts
  // Generation ends when the last `repetition_window` tokens are one block of at most half that length repeated; 0 =
  // never.
  int repetition_window = 0;

  NumberMode number_mode = NumberMode::kRobust;
  std::string language;             // ISO 639-1 code that the answer must be in; empty = no gate
  double language_threshold = 0.5;  // correct needs P(language) > threshold

  DType compute_dtype = DType::kFloat32;  // of decoding
  int batch_size = 64;                    // rows decoded together, at most; smaller where memory asks for it
  bool operator==(const Task&) const = default;
};

}  // namespace heterosis
