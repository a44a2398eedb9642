// SPDX-License-Identifier: Apache-2.0
// Implements random.h.
#include "common/base/random.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace heterosis {
namespace {

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

}  // namespace

uint64_t RandomKey(std::initializer_list<uint64_t> parts) {
  uint64_t key = 0;
  for (const uint64_t part : parts) key = Mix(key + 0x9E3779B97F4A7C15u + Mix(part + 0x9E3779B97F4A7C15u));
  return key;
}

uint64_t HashText(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

uint32_t RandomStream::NextUint32() {
  if (available_ == 0) {
    buffer_ = Philox({static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32), 0, 0}, key_);
    ++block_;
    available_ = 4;
  }
  return buffer_[static_cast<size_t>(4 - available_--)];
}

double RandomStream::NextUniform() {
  const uint64_t high = NextUint32();
  const uint64_t low = NextUint32();
  return static_cast<double>((high << 21) ^ (low >> 11)) * 0x1.0p-53;
}

uint64_t RandomStream::NextBelow(uint64_t bound) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const uint64_t high = NextUint32();
    const uint64_t value = (high << 32) | NextUint32();
    if (value < limit) return value % bound;
  }
}

double RandomStream::NextNormal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-NextUniform()));
  return radius * std::cos(2.0 * std::numbers::pi * NextUniform());
}

std::vector<size_t> RandomPermutation(size_t n, RandomStream& stream) {
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = n; i > 1; --i) std::swap(order[i - 1], order[stream.NextBelow(i)]);
  return order;
}

}  // namespace heterosis
