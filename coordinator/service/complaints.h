// SPDX-License-Identifier: Apache-2.0
// Keeps an attack from filling the log: one warning of a kind now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace heterosis {

// Thread-safe.
class Complaints {
 public:
  // Whether the last one that was permitted lies ten seconds back.
  bool MayComplain() {
    constexpr int64_t kIntervalMs = 10'000;
    const int64_t now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    int64_t next = next_ms_.load();
    return now >= next && next_ms_.compare_exchange_strong(next, now + kIntervalMs);
  }

 private:
  std::atomic<int64_t> next_ms_ = 0;
};

}  // namespace heterosis
