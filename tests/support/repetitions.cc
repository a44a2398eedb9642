// SPDX-License-Identifier: Apache-2.0
// Implements repetitions.h.
#include "tests/support/repetitions.h"

#include <algorithm>
#include <cstdlib>

namespace heterosis {

int Repetitions(int count, int least) {
  const char* share = std::getenv("HETEROSIS_TEST_SHARE");
  return std::max(least, share == nullptr ? count : count * std::atoi(share) / 100);
}

}  // namespace heterosis
