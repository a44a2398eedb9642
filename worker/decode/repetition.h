// SPDX-License-Identifier: Apache-2.0
// Recognizes endless repetition in generated tokens.
#pragma once

#include <cstdint>
#include <span>

namespace heterosis {

// Whether the last `window` tokens are one block of at most half that length, repeated (the last time perhaps in part):
// the window has a period of at most window / 2. Never with window <= 1 or fewer tokens than that.
bool EndsInRepetition(std::span<const int32_t> tokens, int window);

}  // namespace heterosis
