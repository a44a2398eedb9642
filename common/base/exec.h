// SPDX-License-Identifier: Apache-2.0
// What execve is given for another program.
#pragma once

#include <string>
#include <vector>

namespace heterosis {

// For argv or envp: pointers to the words, which must outlive them, and the null pointer at the end.
std::vector<char*> Pointers(std::vector<std::string>& words);

// This process's environment but for HETEROSIS_TOKEN and HETEROSIS_TOKENS.
std::vector<std::string> EnvironmentWithoutTokens();

}  // namespace heterosis
