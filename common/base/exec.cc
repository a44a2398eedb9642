// SPDX-License-Identifier: Apache-2.0
// Implements exec.h.
#include "common/base/exec.h"

#include <unistd.h>

#include <string_view>

namespace heterosis {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWithoutTokens() {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("HETEROSIS_TOKEN=") && !text.starts_with("HETEROSIS_TOKENS=")) environment.emplace_back(text);
  }
  return environment;
}

}  // namespace heterosis
