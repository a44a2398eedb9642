// SPDX-License-Identifier: Apache-2.0
// Time as an argument: the core asks a Clock, tests move a fake one.
#pragma once

#include <chrono>

namespace heterosis {

class Clock {
 public:
  using Duration = std::chrono::milliseconds;
  virtual ~Clock() = default;

  // Time since an arbitrary start that never goes back: for leases, deadlines and rates.
  virtual Duration Monotonic() const = 0;
  // Time since 1970-01-01 UTC: for what people read. May jump.
  virtual Duration Wall() const = 0;
};

class SystemClock : public Clock {
 public:
  Duration Monotonic() const override {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
  }
  Duration Wall() const override {
    return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
  }
};

}  // namespace heterosis
