// SPDX-License-Identifier: Apache-2.0
// What a fuzz target demands of the code under it, beside that it does not crash.
#pragma once

#include <cstdio>
#include <cstdlib>

// Ends the program with the place and the condition, which the fuzzer takes for a crash.
#define FUZZ_CHECK(condition)                                                      \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                \
    }                                                                              \
  } while (false)
