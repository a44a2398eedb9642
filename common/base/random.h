// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers (Philox4x32-10, Salmon et al., SC 2011): every number is a pure function of (key,
// counter), so that resuming, re-issuing and parallel work need no generator state (DESIGN.md sections 6 and 8).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace heterosis {

// One Philox4x32-10 block: 4 x 32 random bits for a 128-bit counter under a 64-bit key.
constexpr std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t low = uint64_t{0xD2511F53} * counter[0];
    const uint64_t high = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(high >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(high),
               static_cast<uint32_t>(low >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(low)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// Mixes the parts into one 64-bit key (SplitMix64's finalizer over a running sum); the order of the parts matters.
uint64_t RandomKey(std::initializer_list<uint64_t> parts);

// A stable 64-bit hash of a text (FNV-1a), for keys that contain names. Not for untrusted hash tables.
uint64_t HashText(std::string_view text);

// The stream of one key. Cheap to create; a value type; not shared between threads.
class RandomStream {
 public:
  explicit RandomStream(uint64_t key) : key_{static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)} {}

  uint32_t NextUint32();
  // Uniform in [0, 1), 53 bits.
  double NextUniform();
  // Uniform in [0, bound), bound > 0, without modulo bias.
  uint64_t NextBelow(uint64_t bound);
  // Standard normal (Box-Muller; uses two uniforms a call, so that the n-th call has the same value whatever came
  // before).
  double NextNormal();

 private:
  std::array<uint32_t, 2> key_;
  uint64_t block_ = 0;
  std::array<uint32_t, 4> buffer_{};
  int available_ = 0;
};

// 0..n-1 in random order (Fisher-Yates).
std::vector<size_t> RandomPermutation(size_t n, RandomStream& stream);

}  // namespace heterosis
