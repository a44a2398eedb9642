// SPDX-License-Identifier: Apache-2.0
// How often tests that try many seeds try: all of them, or fewer where everything is slow (builds with sanitizers).
#pragma once

namespace heterosis {

// HETEROSIS_TEST_SHARE percent of `count` (all where it is not set), but not fewer than `least`.
int Repetitions(int count, int least);

}  // namespace heterosis
