// SPDX-License-Identifier: Apache-2.0
// A clock that only a test moves.
#pragma once

#include "common/base/clock.h"

namespace heterosis {

class FakeClock : public Clock {
 public:
  Duration Monotonic() const override { return now_; }
  Duration Wall() const override { return Duration(1'700'000'000'000) + now_; }
  void Advance(Duration by) { now_ += by; }

 private:
  Duration now_{0};
};

}  // namespace heterosis
