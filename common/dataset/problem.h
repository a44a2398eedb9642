// SPDX-License-Identifier: Apache-2.0
// One problem of a task: what is asked and the answer that counts as right.
#pragma once

#include <string>

namespace heterosis {

struct Problem {
  std::string question;
  std::string answer;  // a plain decimal number, already normalized by the reader: "-1234.5"
  bool operator==(const Problem&) const = default;
};

}  // namespace heterosis
