// SPDX-License-Identifier: Apache-2.0
// A clock that only a test moves.
#pragma once

#include "common/base/clock.h"

namespace heterosis {

class FakeClock : public Clock {
 public:
  Duration Monotonic() const override { return now_; }
  Duration Wall() const override { return wall_ + now_; }
  void Advance(Duration by) { now_ += by; }
  void JumpWall(Duration by) { wall_ += by; }  // as when somebody sets the clock

 private:
  Duration now_{0};
  Duration wall_{1'700'000'000'000};
};

}  // namespace heterosis
