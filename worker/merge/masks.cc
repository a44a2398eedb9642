// SPDX-License-Identifier: Apache-2.0
// Implements masks.h.
#include "worker/merge/masks.h"

#include "worker/merge/numeric.h"

namespace heterosis {

void MergekitMaskStream::Draw(double density, DType work, int64_t n, std::vector<uint64_t>* bits) {
  const float probability =
      work == DType::kBFloat16 ? RoundTo(work, static_cast<float>(density)) : static_cast<float>(density);
  const size_t words = (static_cast<size_t>(n) + 63) / 64;
  if (bits->size() < words) bits->resize(words);
  for (size_t word = 0; word < words; ++word) {
    const int64_t left = n - static_cast<int64_t>(word) * 64;
    uint64_t value = 0;
    for (int bit = 0; bit < 64 && bit < left; ++bit) {
      const float uniform = static_cast<float>(engine_() & 0xFFFFFFu) * 0x1.0p-24f;
      value |= static_cast<uint64_t>(uniform < probability) << bit;
    }
    (*bits)[word] = value;
  }
}

void ExpandMask(const std::vector<uint64_t>& bits, int64_t begin, size_t n, uint32_t* mask) {
  for (size_t i = 0; i < n; ++i) {
    const size_t element = static_cast<size_t>(begin) + i;
    mask[i] = 0u - static_cast<uint32_t>((bits[element / 64] >> (element % 64)) & 1u);
  }
}

}  // namespace heterosis
