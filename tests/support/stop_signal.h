// SPDX-License-Identifier: Apache-2.0
// How the tests' own programs are told to stop.
#pragma once

#include <signal.h>

#include <atomic>

namespace heterosis {

// What SIGTERM sets from now on; a second one ends the process at once. A peer that has gone is no signal (SIGPIPE).
inline const std::atomic<bool>& StopAtSigterm() {
  static std::atomic<bool> stop = false;
  struct sigaction action {};
  action.sa_handler = [](int) { stop = true; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return stop;
}

}  // namespace heterosis
