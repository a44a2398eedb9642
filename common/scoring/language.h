// SPDX-License-Identifier: Apache-2.0
// The language of a text, by fastText's lid.176 model.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace heterosis {

// Immutable after Load and thread-safe.
class LanguageGate {
 public:
  // `path` is lid.176.ftz or another fastText classifier with labels "__label__ja". NotFound where there is no file
  // (deploy/deps/install fetches it), InvalidArgument where it is no such model.
  static absl::StatusOr<std::unique_ptr<LanguageGate>> Load(const std::string& path);
  ~LanguageGate();
  LanguageGate(const LanguageGate&) = delete;
  LanguageGate& operator=(const LanguageGate&) = delete;

  // Whether the model has this language ("ja"): for a code that it does not know, Probability is always 0.
  bool Knows(std::string_view language) const;

  // The probability in [0, 1] (the model's sums may exceed 1 by rounding) of `language` for the whole text with its
  // newlines removed, whichever language is the likeliest. Below 1e-5 it is 0, as is that of an unknown language.
  double Probability(std::string_view text, std::string_view language) const;

 private:
  class Model;
  explicit LanguageGate(std::unique_ptr<Model> model);
  std::unique_ptr<Model> model_;
};

}  // namespace heterosis
