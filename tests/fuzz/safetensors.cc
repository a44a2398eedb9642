// SPDX-License-Identifier: Apache-2.0
// A whole safetensors file: every tensor that the parser finds must lie within the file.
#include "worker/checkpoint/safetensors.h"

#include "tests/fuzz/check.h"
#include "tests/fuzz/scratch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace heterosis;
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto entries = ParseSafetensors(file, "fuzz.safetensors");
  if (!entries.ok()) return 0;
  unsigned sum = 0;
  for (const SafetensorsEntry& entry : *entries) {
    FUZZ_CHECK(entry.bytes.empty() ||
               (entry.bytes.data() >= file.data() && entry.bytes.data() + entry.bytes.size() <= file.data() + size));
    for (const std::byte byte : entry.bytes) sum += static_cast<unsigned>(byte);  // the sanitizer looks on
    (void)WeightOf(entry);
  }
  [[maybe_unused]] volatile unsigned sink = sum;
  return 0;
}
