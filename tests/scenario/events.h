// SPDX-License-Identifier: Apache-2.0
// Virtual time: a clock and the events that are due on it, in one thread. The same events in the same order every time.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace heterosis {

class Events : public Clock {
 public:
  Duration Monotonic() const override { return now_; }
  Duration Wall() const override { return Duration(1'700'000'000'000) + now_; }
  Duration now() const { return now_; }

  void After(Duration delay, std::function<void()> action) {
    queue_.push({now_ + std::max(delay, Duration(0)), ++count_, std::move(action)});
  }

  // Goes to the next event and does it; false where there is none. Of events at the same time, the one added first.
  bool Step() {
    if (queue_.empty()) return false;
    Event next = std::move(const_cast<Event&>(queue_.top()));  // it is popped before anyone looks at it
    queue_.pop();
    now_ = next.due;
    next.action();
    return true;
  }

 private:
  struct Event {
    Duration due{0};
    int64_t number = 0;
    std::function<void()> action;
    bool operator<(const Event& other) const {  // the queue's top is the largest
      return due != other.due ? due > other.due : number > other.number;
    }
  };

  Duration now_{0};
  int64_t count_ = 0;
  std::priority_queue<Event> queue_;
};

}  // namespace heterosis
