// SPDX-License-Identifier: Apache-2.0
// Implements repetition.h.
#include "worker/decode/repetition.h"

#include <cstddef>

namespace heterosis {

bool EndsInRepetition(std::span<const int32_t> tokens, int window) {
  if (window <= 1 || tokens.size() < static_cast<size_t>(window)) return false;
  const std::span<const int32_t> last = tokens.last(static_cast<size_t>(window));
  for (size_t period = 1; period <= last.size() / 2; ++period) {
    size_t at = last.size();
    // From the end: a window without a period nearly always differs at once.
    while (at > period && last[at - 1] == last[at - 1 - period]) --at;
    if (at == period) return true;
  }
  return false;
}

}  // namespace heterosis
